# shellcheck shell=bash disable=SC2034,SC2154
# The owner's half of scripts/chomp, sourced by it: where the server is, whose token, how things are shown.  The verbs:
#   cli-task     add, show, and what moves a task      cli-config   keys, agents, open
#   cli-list     list, log, logs, status               cli-stamp    the trailer on a commit
#   cli-work     diff, apply
#
# Environment:
#   CHOMP_URL           where chomp is; else where the chompctl beside this file has started it (CHOMP_VAR)
#   CHOMP_TOKEN_FILE    a file with the owner's token; else what `chompctl token` prints
#   CHOMP_RETRY_SECONDS 10: how long a server that is away or busy is tried
#   NO_COLOR            no colours, on a terminal too
#   BROWSER             what `chomp open` starts

readonly OWNER_VERBS="add list show run watch logs diff apply done fail handoff update cancel retry approve sendback drop log status keys agents open"
for part in task list config work stamp; do
	# shellcheck source=/dev/null
	. "$here/lib/cli-$part.sh"
done

owner_usage() {
	cat <<-'END'
		usage: chomp [--url URL] [--token-file F] VERB …          (chomp VERB --help says more)

		  add [options] PROMPT       queue a task; the prompt also by -f FILE or on standard input
		  list                       the tasks, newest first: --status S, -q TEXT, -n N, --all
		  show ID                    one task with its sessions
		  run ID… | --next | --all   start: these, the one that is next, or all that wait
		  watch ID                   its live terminal in yours
		  logs ID [SESSION]          what its terminal showed, as text
		  diff ID                    what its agent changed, as a patch: --stat
		  apply ID                   commit that in the repository you are in (git am --3way)
		  log [ID]                   what happened: the newest sessions, or those of one task
		  done ID [RESULT]           finish it by hand; in a git repository the last commit is stamped
		  fail ID REASON             end it as failed
		  handoff ID SUMMARY         back to the queue; the next agent reads the summary
		  update ID --tokens N       report tokens by hand
		  cancel ID…                 stop it, and keep it in the queue
		  retry ID…                  queue a finished task again: --budget N
		  approve ID…                a task that waits for review is done
		  sendback ID COMMENT        it is not: the comment is the next session's prompt
		  drop ID…                   delete
		  status                     how chomp is
		  keys [set NAME | rm NAME]  the providers' keys; a value is read from standard input
		  agents [add ID … | rm ID]  the agents
		  open [ID]                  the dashboard in a browser, or a login link

		--json shows the server's own answer (docs/API.md). Exit codes: 0 it took effect · 1 refused · 2 wrong usage ·
		3 refused because of the task's state · 4 no answer in time (CHOMP_RETRY_SECONDS, 10). `man chomp` has the rest.
	END
}

# ---- where, and as whom -----------------------------------------------------------------------------------------------------

is_loopback() {
	[[ $1 =~ ^https?://(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?(/|$) ]]
}

# Leaves api_url and token.  The token of this host's chomp is not shown to a server elsewhere.
owner_connect() {
	local said url own='' own_token=''
	[[ ! $token ]] || return 0
	patience=${CHOMP_RETRY_SECONDS:-10}
	[[ $patience =~ ^[0-9]{1,6}$ ]] || die 2 "CHOMP_RETRY_SECONDS is \"$patience\": a number is wanted"
	if [[ ! ${CHOMP_URL:-} || ! ${CHOMP_TOKEN_FILE:-} ]]; then
		said=$("$here/chompctl" token --url 2>&1) && { read -r own && read -r own_token; } <<<"$said"
	fi
	url=${CHOMP_URL:-${own:-http://127.0.0.1:${CHOMP_PORT:-8000}}}
	url=${url%/}
	[[ $url =~ ^https?://[^[:space:][:cntrl:]@?#]+$ ]] || die 2 "CHOMP_URL is \"$url\": http://host:port or https://… is wanted"
	! is_loopback "$url" || api_way=(--noproxy '*')
	api_url=$url
	if [[ ${CHOMP_TOKEN_FILE:-} ]]; then
		[[ -r $CHOMP_TOKEN_FILE && ! -d $CHOMP_TOKEN_FILE ]] || die 2 "CHOMP_TOKEN_FILE: cannot read $CHOMP_TOKEN_FILE"
		read_token "$CHOMP_TOKEN_FILE"
		return
	fi
	[[ $url == "$own" ]] || is_loopback "$url" ||
		die 2 "which token is $url's? CHOMP_TOKEN_FILE has to name the file (there: chompctl token)"
	[[ $own_token ]] || die 2 "no token: ${said:0:300} (start chomp with $here/chompctl up, or name a file with its token in CHOMP_TOKEN_FILE)"
	token=$own_token
}

# What a refusal means for somebody at a prompt, after the server's own words.
advise() {
	case $1.$status in
	*.401 | *.403) printf 'chomp: is that the token of %s? It is what `chompctl token` prints on its host; see CHOMP_TOKEN_FILE\n' "$api_url" >&2 ;;
	*.421) printf 'chomp: the server goes by another name than the one in %s\n' "$api_url" >&2 ;;
	4.000 | 4.502) printf 'chomp: is chomp running at %s? (chompctl status, chompctl up)\n' "$api_url" >&2 ;;
	esac
}

# ask METHOD PATH: a call whose failure ends the program, shown as JSON too where that is wanted.
ask() {
	local rc=0
	owner_connect
	call "$@" || rc=$?
	if ((rc == 0)); then
		[[ $out ]] || answered
		return
	fi
	advise "$rc"
	if wants_json; then jq -ce 'select(.error)' <<<"$answer" 2>/dev/null; fi
	return "$rc"
}

# ---- showing ----------------------------------------------------------------------------------------------------------------

wants_json() {
	[[ ${opt[json]-} ]]
}

# view FILTER [jq options]: the answer by a filter of lib/cli.jq.
view() {
	local filter=$1
	shift
	jq -r -L "$here/lib" "${LOOK[@]}" "$@" "include \"cli\"; $filter" 2>/dev/null || not_chomp
}

answered() {
	[[ $answer == *[![:space:]]* ]] || not_chomp
}

not_chomp() {
	printf 'chomp: %s answers something that is not chomp'"'"'s; is CHOMP_URL right?\n' "$api_url" >&2
	return 4
}

# Either the answer itself or a view of it.
tell() {
	if wants_json; then
		jq . <<<"$answer" 2>/dev/null || not_chomp
	else
		view "$1" "${@:2}" <<<"$answer"
	fi
}

# Width and colours of who looks: a pipe gets whole lines and neither.
look() {
	local width=0 colour=false size
	if [[ -t 1 ]]; then
		{ size=$(stty size 2>/dev/null <&3) || size=''; } 3>&1
		width=${COLUMNS:-${size#* }}
		[[ $width =~ ^[1-9][0-9]{0,3}$ ]] || width=80
		[[ ${NO_COLOR:-} || ${TERM:-dumb} == dumb ]] || colour=true
	fi
	LOOK=(--argjson width "$width" --argjson colour "$colour")
}

# ---- options ----------------------------------------------------------------------------------------------------------------

is_id() {
	[[ $1 =~ ^[0-9]{1,18}$ ]]
}

# The ids that a verb is about are its first words; $2 says how many: one or some.
ids_wanted() {
	local word
	((${#words[@]} > 0)) || die 2 "$1: the number of a task is wanted (chomp list shows them; in a sandbox it is known)"
	for word in "${words[@]:0:${2:-1}}"; do
		is_id "$word" || die 2 "$1: \"$word\" is no number of a task"
	done
}

no_words() {
	((${#words[@]} == 0)) || die 2 "$1: \"${words[0]}\" is not expected here; see chomp $1 --help"
}

# A private file, gone at the end.
scratch_file() {
	[[ ${scratch-} ]] && return
	scratch=$(umask 077 && mktemp -d) || die 1 "cannot make a temporary directory"
	trap 'rm -rf -- "$scratch"' EXIT
}

# ---- main -------------------------------------------------------------------------------------------------------------------

owner_main() {
	local verb
	declare -gA opt=()
	words=()
	while [[ ${1:-} == --url* || ${1:-} == --token-file* || ${1:-} == --json ]]; do
		case $1 in
		--json) set -- "${@:2}" --json ;;
		--url=* | --token-file=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
		--url | --token-file)
			(($# >= 2)) || die 2 "$1 wants a value"
			if [[ $1 == --url ]]; then CHOMP_URL=$2; else CHOMP_TOKEN_FILE=$2; fi
			shift 2
			;;
		*) die 2 "$1 is no option here; see chomp --help" ;;
		esac
	done
	verb=${1:-}
	case $verb in
	'')
		usage >&2
		exit 2
		;;
	--help | -h) usage ;;
	help) if [[ ${2:-} ]]; then help_for "$2"; else usage; fi ;;
	gate | artifact) die 2 "$verb works in a sandbox only" ;;
	*)
		[[ " $OWNER_VERBS " == *" $verb "* ]] || die 2 "unknown verb \"$verb\"; see chomp --help"
		shift
		case " $* " in
		*' -- '*) ;;
		*' --help '* | *' -h '*)
			help_for "$verb"
			exit
			;;
		esac
		look
		"owner_$verb" "$@"
		;;
	esac
}

help_for() {
	[[ " $OWNER_VERBS " == *" $1 "* ]] || die 2 "there is no verb \"$1\"; see chomp --help"
	if [[ $1 == watch ]]; then
		watch_usage
		return
	fi
	"help_$1"
}
