# shellcheck shell=bash disable=SC2034,SC2154
# The owner's verbs that make and move tasks.  Sourced by cli.sh.

# ---- add --------------------------------------------------------------------------------------------------------------------

help_add() {
	cat <<-'END'
		usage: chomp add [options] [--] PROMPT…        the words make the prompt
		       chomp add [options] -f FILE
		       … | chomp add [options]                 or -f -

		  --dir DIR          a git repository on this machine; with --repo, a path inside the clone
		  --repo URL         what to clone; --branch NAME
		  --agent ID         who is to do it (chomp agents); --model NAME, --router NAME
		  --host H           local or cloudflare; --network N: none, internet or host
		  --priority N       higher is earlier
		  --budget N         tokens; --on-budget flag|stop
		  --gate PATH        the script in the repository that judges the work (default gates/health.sh), or none
		  --gate-loops N     how often it may fail; --gate-edits: the agent's own version of it counts
		  --review           done only when you approve
		  --run              start it now; --watch: and show its terminal
		  --key KEY          Idempotency-Key: the same one within 24 hours adds nothing again
		  --json             the task as JSON
	END
}

owner_add() {
	options '|file|dir|repo|branch|agent|model|router|host|network|priority|budget|on-budget|gate|gate-loops|gate-edits!|review!|key|run!|watch!|json!|' "$@"
	local key=${opt[key]-}
	add_prompt
	[[ ! ${opt[watch]-} ]] || opt[run]=1
	add_dir
	add_body || die 2 "add: the values make no JSON"
	[[ $key ]] || key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	[[ $key =~ ^[[:print:]]{1,255}$ ]] || die 2 "add: --key: printable characters are wanted, at most 255"
	headers=(-H "Idempotency-Key: $key")
	ask POST /api/tasks application/json "$scratch/body" || return
	headers=()
	tell '"task \(.id) is \(.status)"' || return
	[[ ! ${opt[watch]-} ]] || owner_watch "$(jq -r .id <<<"$answer")"
}

# The prompt's bytes, unchanged, into a file of our own.
add_prompt() {
	local from=${opt[file]-}
	scratch_file
	if ((${#words[@]})); then
		[[ ! $from ]] || die 2 "add: either a prompt or -f FILE"
		printf '%s' "${words[*]}" >"$scratch/prompt"
	else
		[[ $from || ! -t 0 ]] || die 2 "add: what is to be done? chomp add PROMPT, or -f FILE; see chomp add --help"
		if [[ ${from:--} == - ]]; then
			cat >"$scratch/prompt"
		else
			[[ -f $from && -r $from ]] || [[ -p $from || -c $from ]] || die 2 "add: cannot read $from"
			cat -- "$from" >"$scratch/prompt"
		fi || die 2 "add: cannot read the prompt"
	fi
	grep -q '[^[:space:]]' "$scratch/prompt" || die 2 "add: the prompt is empty"
	iconv -f UTF-8 -t UTF-8 <"$scratch/prompt" >/dev/null 2>&1 || die 2 "add: the prompt is not UTF-8"
}

# The server knows no working directory.
add_dir() {
	[[ ${opt[dir]-} && ! ${opt[repo]-} ]] || return 0
	opt[dir]=$(realpath -ms -- "${opt[dir]}")
}

add_body() {
	local name args=()
	for name in priority budget gate-loops; do
		[[ ${opt[$name]-0} =~ ^-?[0-9]{1,15}$ ]] || die 2 "add: --$name: a whole number is wanted"
	done
	for name in dir repo branch agent model router host network priority budget on-budget gate gate-loops; do
		[[ ! ${opt[$name]-} ]] || args+=(--arg "${name//-/_}" "${opt[$name]}")
	done
	for name in gate-edits review; do
		[[ ! ${opt[$name]-} ]] || args+=(--argjson "${name//-/_}" true)
	done
	jq -Rsc "${args[@]}" --argjson run "$([[ ${opt[run]-} ]] && echo true || echo false)" '
		{prompt: ., run: $run} + ($ARGS.named | del(.run)
		| with_entries(.key |= ({repo: "repo_url", budget: "token_budget"}[.] // .)))' <"$scratch/prompt" >"$scratch/body" 2>/dev/null
}

# ---- show -------------------------------------------------------------------------------------------------------------------

help_show() {
	cat <<-'END'
		usage: chomp show [--json] ID       one task: what was asked, its sessions, what came of it
	END
}

owner_show() {
	options '|json!|' "$@"
	ids_wanted show
	((${#words[@]} == 1)) || die 2 "show: one task is wanted"
	ask GET "/api/tasks/${words[0]}" || return
	tell 'task_view'
}

# ---- run --------------------------------------------------------------------------------------------------------------------

help_run() {
	cat <<-'END'
		usage: chomp run [--agent ID] [--model NAME] [--router NAME] [--watch] [--json] ID…
		       chomp run --next      the waiting task of the highest priority, the oldest of those
		       chomp run --all       all that wait, in that order; max_active limits auto-run alone

		--next and --all leave out tasks that are held (chomp cancel) or parked; run those by their number.
	END
}

owner_run() {
	local id worst=0
	options '|agent|model|router|next!|all!|watch!|json!|' "$@"
	if [[ ${opt[next]-}${opt[all]-} ]]; then
		[[ ${opt[next]-}${opt[all]-} == 1 ]] || die 2 "run: either --next or --all"
		no_words run
		[[ ! ${opt[watch]-} || ${opt[next]-} ]] || die 2 "run: --watch is for one task"
		run_waiting
		return
	fi
	ids_wanted run "${#words[@]}"
	[[ ! ${opt[watch]-} ]] || ((${#words[@]} == 1)) || die 2 "run: --watch is for one task"
	each run "${words[@]}" || return
	[[ ! ${opt[watch]-} ]] || owner_watch "${words[0]}"
}

# Auto-run, or somebody else, may have been faster: that is no failure here.
run_waiting() {
	local waiting id rc ran=''
	scratch_file
	set -o pipefail
	waiting=$(pages status=queued | jq -rs 'map(.tasks[]) | map(select((.held or .parked_until != null) | not))
		| sort_by(-.priority, (.id | tonumber))[].id') || return
	for id in $waiting; do
		rc=0
		move run "$id" 2>"$scratch/said" || rc=$?
		[[ $rc != 3 ]] || continue
		cat -- "$scratch/said" >&2
		((rc == 0)) || return "$rc"
		ran=$id
		[[ ! ${opt[next]-} ]] || break
	done
	if [[ ! $ran ]]; then
		printf 'chomp: no task waits\n' >&2
	elif [[ ${opt[next]-} && ${opt[watch]-} ]]; then
		owner_watch "$ran"
	fi
}

# ---- one verb, one task -----------------------------------------------------------------------------------------------------

# The body of a verb for the task $2; `report` (scripts/chomp) makes the rest from the options.
move_body() {
	local name args=()
	case $1 in
	done | fail | update | handoff) report | jq -c --arg id "$2" '{id: $id} + .' ;;
	*)
		for name in agent model router budget comment; do
			[[ ! ${opt[$name]-} ]] || args+=(--arg "${name/budget/token_budget}" "${opt[$name]}")
		done
		jq -nc "${args[@]}" --arg id "$2" '$ARGS.named'
		;;
	esac
}

# move VERB ID: post it, say what the task is now.
move() {
	local body rc=0
	body=$(move_body "$@") && [[ $body ]] || die 2 "$1: the values make no JSON"
	owner_connect
	call POST "/api/tasks/$1" 2>"$scratch/call" || rc=$?
	if [[ $rc == [13] && $unsure ]] && took_effect "$@"; then
		rc=0
	else
		cat -- "$scratch/call" >&2
	fi
	((rc)) || answered || return
	if ((rc)); then
		advise "$rc"
		if wants_json; then jq -ce 'select(.error)' <<<"$answer" 2>/dev/null; fi
		return "$rc"
	fi
	case $1 in
	delete) tell '"task \(.id) is deleted"' ;;
	*) tell 'moved' ;;
	esac
}

# An earlier try got no answer and this one was refused: is the task what it should be, because that try took effect?
took_effect() {
	local wanted
	case $1 in
	run) wanted=active ;;
	"done") wanted=done ;;
	fail) wanted=failed ;;
	cancel | retry | handoff | sendback) wanted=queued ;;
	delete)
		[[ $status == 404 ]] && answer="{\"id\":\"$2\"}"
		return
		;;
	*) return 1 ;;
	esac
	[[ $status == 409 ]] || return
	try GET "/api/tasks/$2"
	[[ $status == 200 && $(jq -r .status <<<"$answer" 2>/dev/null) == "$wanted" ]]
}

# each VERB ID…: all of them, whatever becomes of one; the first failure is the exit code.
each() {
	local verb=$1 id rc first=0
	shift
	scratch_file
	for id in "$@"; do
		rc=0
		move "$verb" "$id" || rc=$?
		((first)) || first=$rc
		[[ $rc != 4 ]] || break		# nobody there: the next one would wait as long
	done
	return "$first"
}

help_done() {
	cat <<-'END'
		usage: chomp done ID [RESULT] [--summary T] [--result-file F] [--tokens N | --usage JSON] [--no-stamp] [--json]

		Finishes an active task by hand. In a git repository the last commit gets the trailer "Agent: name/model", of the
		task's last session: once, and never when a remote already has that commit. --no-stamp leaves it alone.
	END
}

owner_done() {
	options '|exit-code|result|result-file|summary|summary-file|tokens|usage|no-stamp!|json!|' "$@"
	ids_wanted "done"
	opt[result]=${opt[result]-${words[*]:1}}
	each "done" "${words[0]}" || return
	[[ ${opt[no-stamp]-} ]] || stamp "$(jq -r '.sessions[-1] // {} | [.agent, .model // ""] | map(select(. != "")) | join("/")' <<<"$answer")"
}

help_fail() {
	cat <<-'END'
		usage: chomp fail ID REASON [--exit-code N] [--tokens N | --usage JSON] [--json]
	END
}

owner_fail() {
	options '|exit-code|tokens|usage|json!|' "$@"
	ids_wanted fail
	opt[reason]=${words[*]:1}
	[[ ${opt[reason]} == *[![:space:]]* ]] || die 2 "fail: a reason is wanted: chomp fail ID REASON"
	each fail "${words[0]}"
}

help_handoff() {
	cat <<-'END'
		usage: chomp handoff ID SUMMARY [--summary-file F] [--json]

		Ends the session; the task is queued again, and its next agent reads the summary (- reads it from standard input).
	END
}

owner_handoff() {
	options '|summary|summary-file|json!|' "$@"
	ids_wanted handoff
	opt[summary]=${opt[summary]-${words[*]:1}}
	[[ ${opt[summary]} != - ]] || opt[summary]=$(first_bytes)
	[[ ${opt[summary]} == *[![:space:]]* ]] || die 2 "handoff: a summary for the next agent is wanted: chomp handoff ID SUMMARY"
	each handoff "${words[0]}"
}

help_update() {
	cat <<-'END'
		usage: chomp update ID --tokens N | --usage JSON [--summary T] [--result T] [--json]

		Totals of the session so far; they never fall. JSON: {"input":N,"output":N,"cache_read":N,"cache_write":N}
	END
}

owner_update() {
	options '|tokens|usage|result|summary|json!|' "$@"
	ids_wanted update
	((${#words[@]} == 1)) || die 2 "update: one task is wanted"
	[[ ${opt[tokens]+x}${opt[usage]+x} ]] || die 2 "update: --tokens N or --usage JSON is wanted"
	each update "${words[0]}"
}

help_cancel() {
	cat <<-'END'
		usage: chomp cancel [--json] ID…       stop it; it stays in the queue, held: auto-run leaves it alone
	END
}

owner_cancel() {
	options '|json!|' "$@"
	ids_wanted cancel "${#words[@]}"
	each cancel "${words[@]}"
}

help_retry() {
	cat <<-'END'
		usage: chomp retry [--budget N] [--json] ID…       queue a task that is done or failed again
	END
}

owner_retry() {
	options '|budget|json!|' "$@"
	ids_wanted retry "${#words[@]}"
	[[ -z ${opt[budget]-} ]] || whole_number --budget "${opt[budget]}"
	each retry "${words[@]}"
}

help_approve() {
	cat <<-'END'
		usage: chomp approve [--json] ID…       the work of a task that waits for review is good
	END
}

owner_approve() {
	options '|json!|' "$@"
	ids_wanted approve "${#words[@]}"
	each approve "${words[@]}"
}

help_sendback() {
	cat <<-'END'
		usage: chomp sendback ID COMMENT [--json]

		The work of a task that waits for review is not good yet: it is queued again, and the comment is what the next
		session is asked to do (- reads it from standard input).
	END
}

owner_sendback() {
	options '|json!|' "$@"
	ids_wanted sendback
	opt[comment]=${words[*]:1}
	[[ ${opt[comment]} != - ]] || opt[comment]=$(first_bytes)
	[[ ${opt[comment]} == *[![:space:]]* ]] || die 2 "sendback: say what is to be done: chomp sendback ID COMMENT"
	each sendback "${words[0]}"
}

help_drop() {
	cat <<-'END'
		usage: chomp drop [--json] ID…       delete; a running one is stopped first. There is no way back.
	END
}

owner_drop() {
	options '|json!|' "$@"
	ids_wanted drop "${#words[@]}"
	each delete "${words[@]}"
}
