# shellcheck shell=bash disable=SC2034,SC2154
# The owner's verbs that look.  Sourced by cli.sh.

# ---- list -------------------------------------------------------------------------------------------------------------------

help_list() {
	cat <<-'END'
		usage: chomp list [--status queued|active|done|failed] [-q TEXT] [-n N | --all] [--json]

		The tasks, newest first: the newest 50, or N, or all. -q looks into prompts and results.
		--json: {"tasks":[…],"next_cursor":…}
	END
}

# pages QUERY [N]: page after page as the server gives them, one line each, until there are N tasks (0: all) or no more.
pages() {
	local wanted=${2:-0} got=0 cursor='' limit=200
	owner_connect
	while :; do
		((wanted == 0 || wanted - got >= 200)) || limit=$((wanted - got))
		ask GET "/api/tasks?limit=$limit&$1${cursor:+&cursor=$cursor}" || return
		IFS=' ' read -r cursor page < <(jq -r '"\(.next_cursor // "-") \(.tasks | length)"' <<<"$answer" 2>/dev/null)
		[[ ${page-} =~ ^[0-9]+$ ]] || { not_chomp || return; }
		printf '%s\n' "$answer"
		got=$((got + page))
		[[ $cursor != - ]] && ((wanted == 0 || got < wanted)) || return 0
	done
}

owner_list() {
	local query='' wanted=50
	options '|status|query|limit|all!|json!|' "$@"
	no_words list
	[[ ! ${opt[status]-} ]] || query=status=${opt[status]}
	[[ $query =~ ^[a-z=]*$ ]] || die 2 "list: --status: queued, active, done or failed is wanted"
	[[ ! ${opt[query]-} ]] || query+="&q=$(jq -rRs '@uri' < <(printf '%s' "${opt[query]}"))"
	[[ ! ${opt[limit]+x} ]] || { whole_number --limit "${opt[limit]}" && wanted=$((10#${opt[limit]})); }
	((wanted > 0)) || die 2 "list: --limit: a number from 1 is wanted"
	[[ ! ${opt[all]-} ]] || wanted=0
	set -o pipefail
	if wants_json; then
		# Page by page: a hundred thousand tasks need not fit anybody's memory.
		pages "$query" "$wanted" | jq -n 'reduce inputs as $p ({tasks: []}; .tasks += $p.tasks | .next_cursor = $p.next_cursor)'
	else
		pages "$query" "$wanted" | jq -c -L "$here/lib" "${LOOK[@]}" 'include "cli"; .tasks[] | list_row' | view '[inputs] | list_table' -n
	fi
}

# ---- logs, log --------------------------------------------------------------------------------------------------------------

help_logs() {
	cat <<-'END'
		usage: chomp logs [--json] ID [SESSION]       what the terminal of its newest session (or s1, s2, …) has shown, as text

		To follow it: chomp watch ID.  --json: {"id":…,"session":…,"output":…}
	END
}

owner_logs() {
	local path sid
	options '|json!|' "$@"
	ids_wanted logs
	sid=${words[1]-}
	((${#words[@]} <= 2)) && [[ ${sid:-s1} =~ ^s?[0-9]{1,9}$ ]] || die 2 "logs: ID [SESSION] is wanted; a session is s1, s2, …"
	path=/api/sandbox/output/${words[0]}
	[[ ! $sid ]] || path=/api/tasks/${words[0]}/sessions/s${sid#s}/output
	scratch_file
	out=$scratch/output
	ask GET "$path" || return
	out=
	if wants_json; then
		jq -Rs --arg id "${words[0]}" --arg session "${sid:+s${sid#s}}" \
			'{id: $id, session: (if $session == "" then null else $session end), output: .}' <"$scratch/output"
	else
		cat -- "$scratch/output"		# the server has taken the escape codes out
	fi
}

help_log() {
	cat <<-'END'
		usage: chomp log [-n N] [--json]       what happened: the newest sessions of all tasks (20, or N)
		       chomp log [--json] ID           the sessions of one task, oldest first, with their summaries

		--json: an array of sessions, each with its task's id
	END
}

owner_log() {
	local wanted=20 filter='.tasks[] | sessions_of'
	options '|limit|json!|' "$@"
	[[ ! ${opt[limit]+x} ]] || { whole_number --limit "${opt[limit]}" && wanted=$((10#${opt[limit]})); }
	if ((${#words[@]})); then
		ids_wanted log
		((${#words[@]} == 1)) || die 2 "log: one task is wanted"
		ask GET "/api/tasks/${words[0]}" || return
		if wants_json; then view '[sessions_of]' <<<"$answer"; else view 'log_view' <<<"$answer"; fi
		return
	fi
	set -o pipefail
	# Sessions begin when a task is run, not when it is made: the newest ones are looked for among more tasks than are shown.
	pages '' $((wanted * 10)) | jq -c -L "$here/lib" "${LOOK[@]}" "include \"cli\"; $filter" |
		view "[inputs] | sort_by(.started_at) | reverse | .[0:$wanted] | $(wants_json && echo . || echo log_table)" -n
}

# ---- status -----------------------------------------------------------------------------------------------------------------

help_status() {
	cat <<-'END'
		usage: chomp status [--json]       is it well, what waits, what runs; exit code 1 when it says of itself that it is not

		--json: the answer of /api/health
	END
}

owner_status() {
	local health rc=0
	options '|json!|' "$@"
	no_words status
	owner_connect
	try GET /api/health
	if [[ $status != 200 && $status != 503 ]] || ! jq -e .status <<<"$answer" >/dev/null 2>&1; then
		patience=0
		ask GET /api/health || return
		not_chomp || return
	fi
	[[ $status == 200 ]] || rc=1
	health=$answer
	if wants_json; then
		jq . <<<"$health"
	elif ! jq -e .store <<<"$health" >/dev/null; then
		# Health is for everybody, by a word; who is not let in asks about his token.
		patience=0
		ask GET /api/config || return
	else
		ask GET /api/config || return
		view 'status_view' --argjson health "$health" --arg url "$api_url" <<<"$answer"
	fi
	return "$rc"
}
