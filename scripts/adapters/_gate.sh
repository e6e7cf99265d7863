# The gate: a script of the repository that judges the work when the agent says that it is finished. Sourced by run-agent.
#
# The script is taken from the base commit before the agent starts, and kept in this process's memory: what the agent does to
# its copy, or to git's objects, changes nothing. For the run it is put into its place in the work tree (with gates/ as a
# whole, when it lives there), and the agent's version is put back. With GATE_EDITS the agent's own version judges.
#
# Shares run-agent's variables: repo base tree.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

readonly GATE_DEFAULT=gates/health.sh
readonly GATE_LIMIT=${GATE_SECONDS:-600}	# of one run
readonly GATE_LOG_MAX=$((1024 * 1024))		# what is kept of the beginning; of the end, GATE_TAIL
readonly GATE_TAIL=60000
readonly GATE_SHOWN=65536			# on the terminal
readonly GATE_PACK_MAX=$((4 * 1024 * 1024))	# of gates/, as an archive

# Sets gate ("": none) and keeps what judges. A gate that the task names must be there.
find_gate() {
	gate=${GATE_SCRIPT:-}
	gate_pack='' gate_paths=() gate_hash=''
	[[ $gate != none ]] || gate=
	[[ ${GATE_SCRIPT:-} != none ]] || return 0
	if [[ -z $repo ]]; then
		[[ -z $gate ]] || give_up 1 "gate: $gate is a script of the repository, and this task has none"
		return 0
	fi
	if [[ -z $gate ]]; then
		our_git -C "$repo" cat-file -e "$base:$GATE_DEFAULT" 2>/dev/null || return 0
		gate=$GATE_DEFAULT
	elif [[ ! ${GATE_EDITS:-} ]] && ! our_git -C "$repo" cat-file -e "$base:$gate" 2>/dev/null; then
		give_up 1 "gate: the repository has no $gate"
	fi
	gate_paths=("$gate")
	[[ $gate != gates/* ]] || gate_paths=(gates)
	[[ ${GATE_EDITS:-} ]] || pack_gate
	printf '%s\n' "$gate" >"$CHOMP_STATE/gate"		# `chomp done` looks for it
}

# The base commit's gate, modes and all, as text in a variable.
pack_gate() {
	local dir=$CHOMP_STATE/gate.base
	rm -rf -- "$dir" && mkdir -p -- "$dir" || give_up 73 "gate: cannot write $dir"
	base_files "$dir" || give_up 1 "gate: $gate cannot be read from the base commit"
	[[ -f $dir/$gate && ! -L $dir/$gate ]] || give_up 1 "gate: $gate is no file in the base commit"
	gate_hash=$(sha256sum <"$dir/$gate")
	gate_hash=${gate_hash%% *}
	(($(du -sb -- "$dir" | cut -f 1) <= GATE_PACK_MAX)) || give_up 1 "gate: gates/ is larger than $((GATE_PACK_MAX >> 20)) MiB"
	gate_pack=$(tar -C "$dir" -cf - . | base64 -w 0)
	rm -rf -- "$dir"
}

base_files() {
	local index=$CHOMP_STATE/gate.index
	rm -f -- "$index"
	(
		cd -- "$repo" || exit
		set -o pipefail
		USE_INDEX=$index our_git read-tree "$base" &&
			our_git ls-tree -r -z --name-only --full-tree "$base" -- "${gate_paths[@]}" |
			USE_INDEX=$index our_git checkout-index -q -z --stdin --prefix="$1/"
	)
}

# ---- a run ------------------------------------------------------------------------------------------------------------------

# Puts the judges in their place; the agent's version waits in $CHOMP_STATE/gate.mine.
place_gate() {
	local path
	rm -rf -- "$CHOMP_STATE/gate.mine" && mkdir -p -- "$CHOMP_STATE/gate.mine" || return
	[[ $gate_pack ]] || return 0
	for path in "${gate_paths[@]}"; do
		if [[ -e $repo/$path || -L $repo/$path ]]; then
			mkdir -p -- "$CHOMP_STATE/gate.mine/$(dirname -- "$path")" &&
				mv -T -- "$repo/$path" "$CHOMP_STATE/gate.mine/$path" || return
		fi
	done
	base64 -d <<<"$gate_pack" | tar -C "$repo" -xf - --no-same-owner
}

# Whether what judged is still what was put there: a shell reads its script while it runs, so whoever writes into it then
# writes the verdict.
gate_intact() {
	local dir=$CHOMP_STATE/gate.base file
	[[ $gate_pack ]] || return 0
	rm -rf -- "$dir" && mkdir -p -- "$dir" && base64 -d <<<"$gate_pack" | tar -C "$dir" -xf - || return
	while IFS= read -rd '' file; do
		cmp -s -- "$dir/$file" "$repo/$file" || return
	done < <(cd -- "$dir" && find . -type f -print0)
}

unplace_gate() {
	local path
	[[ $gate_pack ]] || return 0
	for path in "${gate_paths[@]}"; do
		rm -rf -- "${repo:?}/$path"
		[[ ! -e $CHOMP_STATE/gate.mine/$path && ! -L $CHOMP_STATE/gate.mine/$path ]] ||
			mv -T -- "$CHOMP_STATE/gate.mine/$path" "$repo/$path"
	done
}

# Whether the agent's tree, as it was collected, has another gate than the base commit.
gate_changed() {
	! work_git diff --cached --quiet --no-ext-diff "$base" -- "${gate_paths[@]}" 2>/dev/null
}

gate_program() {
	cd -- "$repo" || exit 126
	if [[ -x $gate ]]; then
		as_agent "./$gate" </dev/null
	else
		as_agent bash "./$gate" </dev/null
	fi
}

# Everything is read, or the gate would wait; little of it is kept. Hash over all of it.
keep_log() {
	local dir=$CHOMP_STATE
	trap '' INT QUIT TERM HUP
	tee -p >(sha256sum >"$dir/gate.sum") >(head -c "$GATE_LOG_MAX" >"$dir/gate.head"; exec cat >/dev/null) \
		>(head -c "$GATE_SHOWN" >&"$screen"; exec cat >/dev/null) >(wc -c >"$dir/gate.size") |
		tail -c "$GATE_TAIL" >"$dir/gate.tail"
}

# Leaves gate_code, and the log's parts in $CHOMP_STATE/gate.{head,tail,sum,size}.
run_gate() {
	local keeper out guard screen
	say "gate $gate"
	end_leftovers
	place_gate || {
		unplace_gate
		gate_code=125
		printf 'the gate cannot be put into the work tree\n' | keep_log {screen}>&1
		return
	}
	[[ $gate_pack || ! -f $repo/$gate ]] || gate_hash=$(sha256sum <"$repo/$gate")
	gate_hash=${gate_hash%% *}
	exec {screen}>&1
	exec {out}> >(keep_log)
	keeper=$!
	supervise gate_program >&"$out" 2>&1 {out}>&- {screen}>&- &
	child=$!
	exec {out}>&- {screen}>&-
	(trap '' INT QUIT HUP; nap "$GATE_LIMIT"; printf '%s\n' "$GATE_LIMIT" >"$CHOMP_STATE/gate.late"; end_tree "$child") &
	guard=$!
	agent_ended=''			# a stop is for the gate now
	wait_for_child
	agent_ended=1
	gate_code=$code
	kill "$guard" 2>/dev/null
	end_leftovers			# what it forked holds the pipe
	wait_at_most "$LAST_WORDS_SECONDS" "$keeper" || end_tree "$keeper"
	if ! gate_intact; then
		gate_code=125
		printf '\n[chomp: the gate was changed while it ran; that is no verdict]\n' >>"$CHOMP_STATE/gate.tail"
	fi
	unplace_gate
	[[ ! -s $CHOMP_STATE/gate.late ]] || gate_code=124
}

# The log as it is kept: its beginning, and if it was longer, its end.
gate_log() {
	local size=0 dir=$CHOMP_STATE
	read -r size <"$dir/gate.size" 2>/dev/null
	cat -- "$dir/gate.head"
	((size > GATE_LOG_MAX)) || return 0
	printf '\n[chomp: %d of %d bytes are not kept]\n' $((size > GATE_LOG_MAX + GATE_TAIL ? size - GATE_LOG_MAX - GATE_TAIL : 0)) "$size"
	tail -c $((size - GATE_LOG_MAX < GATE_TAIL ? size - GATE_LOG_MAX : GATE_TAIL)) -- "$dir/gate.tail"
}

# What the verdict and the next prompt quote: the end, without what would command a terminal.
gate_said() {
	{
		cat -- "$CHOMP_STATE/gate.tail"
		[[ ! -s $CHOMP_STATE/gate.late ]] || printf '\n[chomp: the gate was ended after its %s s]\n' "$(<"$CHOMP_STATE/gate.late")"
	} | jq -Rsr "$JQ_COMMON"'gsub("\u001b\\[[0-9;?]*[ -/]*[@-~]"; "") | clean' | tail -c 20000 | iconv -c -f UTF-8 -t UTF-8
}

# Runs the gate and tells the verdict. Leaves `next` (done, loop or failed; "": it could not be told), and for loop the next
# session's id and token in next_session and next_token.
judge_work() {
	local words=() answer
	next='' next_session='' next_token=''
	attempt=$((attempt + 1))
	rm -f -- "$CHOMP_STATE"/gate.{head,tail,sum,size,late}
	run_gate
	[[ -z $stopped_by ]] || return
	gate_said >"$CHOMP_STATE/gate.said"
	gate_log >"$CHOMP_STATE/gate.log"
	callback artifact "$CHOMP_STATE/gate.log" "gate-$attempt.log" >/dev/null || say "the gate's log could not be kept"
	if ((gate_code == 0)); then words=(--passed); else words=(--failed); fi
	[[ ! -s $CHOMP_STATE/gate.sum ]] || words+=(--log-hash "$(cut -d ' ' -f 1 <"$CHOMP_STATE/gate.sum")")
	! gate_changed || {
		words+=(--changed)
		say "the agent changed $gate; $([[ $gate_pack ]] && printf 'the version of the base commit judged' || printf 'its version judged')"
	}
	if ((gate_code == 0)); then say "gate passed"; else say "gate failed, exit code $gate_code"; fi
	answer=$(callback gate --attempt "$attempt" "${words[@]}" --exit-code "$gate_code" --gate "$gate" --tree "$tree" \
		--gate-hash "$gate_hash" --output-file "$CHOMP_STATE/gate.said" "${report[@]}" "$@") || return
	{ read -r next; read -r next_session; read -r next_token; } < <(jq -r '.next, .sessionId, .token // ""' <<<"$answer")
}

# ---- another try ------------------------------------------------------------------------------------------------------------

# The prompt of the session that follows a failed gate. An adapter may say otherwise (agent_again).
again_prompt() {
	if declare -F agent_again >/dev/null; then
		agent_again
		return
	fi
	cat -- "$first_prompt"
	printf '\n\nThis was worked on already, and the work so far is in the repository as it is now. The gate %s judged it and failed (attempt %d, exit code %d). Make it pass. The end of its output:\n\n' \
		"$gate" "$attempt" "$gate_code"
	cat -- "$CHOMP_STATE/gate.said"
}

# From here on everything is the next session's.
next_session() {
	again_prompt >"$CHOMP_STATE/prompt.next" && mv -- "$CHOMP_STATE/prompt.next" "$CHOMP_STATE/prompt-$next_session"
	(umask 377 && printf '%s\n' "$next_token" >"$CHOMP_STATE/token-$next_session")
	export SESSION_ID=$next_session TASK_PROMPT_FILE=$CHOMP_STATE/prompt-$next_session
	export CHOMP_TOKEN_FILE=$CHOMP_STATE/token-$next_session GATE_OUTPUT_FILE=$CHOMP_STATE/gate.said
	rm -f -- "$CHOMP_STATE"/{events,usage,stderr,verdict,result,closed,hidden,said}
	say "session $SESSION_ID: another try"
}
