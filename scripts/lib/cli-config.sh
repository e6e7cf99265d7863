# shellcheck shell=bash disable=SC2034,SC2154
# The owner's verbs about keys and agents, and the ways in: watch, open.  Sourced by cli.sh.

# ---- keys -------------------------------------------------------------------------------------------------------------------

help_keys() {
	cat <<-'END'
		usage: chomp keys [--json]             which are set
		       chomp keys set NAME             the value is asked for, or read from standard input: it is never an argument
		       chomp keys rm NAME
	END
}

owner_keys() {
	options '|json!|' "$@"
	case ${words[0]-list}.${#words[@]} in
	list.[01])
		ask GET /api/config || return
		if wants_json; then jq .routers <<<"$answer" 2>/dev/null || not_chomp; else view 'keys_table' <<<"$answer"; fi
		;;
	set.2) key_set "${words[1]}" ;;
	rm.2) key_send "${words[1]}" < <(:) ;;
	*) die 2 "keys: nothing, set NAME or rm NAME is wanted; a value comes on standard input" ;;
	esac
}

key_set() {
	local value
	if [[ -t 0 ]]; then
		IFS= read -rsp "$1: " value
		printf '\n' >&2
	else
		IFS= read -r value || :
	fi
	[[ $value ]] || die 2 "keys: no value came on standard input; chomp keys rm $1 removes the key"
	key_send "$1" < <(printf '%s' "$value")
}

key_send() {
	local body
	body=$(jq -Rsc --arg key "$1" '{key: $key, value: .}')
	ask POST /api/config/keys || return
	tell '"\(.key | line) is \(if .set then "set" else "not set" end)"'
}

# ---- agents -----------------------------------------------------------------------------------------------------------------

help_agents() {
	cat <<-'END'
		usage: chomp agents [--json]
		       chomp agents add ID [--name N] [--command C] [--models A,B] [--color #RRGGBB]
		       chomp agents rm ID

		--command is split at spaces, without a shell; {prompt} {prompt_file} {model} {dir} are filled in, without the first
		two the prompt comes on standard input. Programs are installed by chompctl agent install.
	END
}

owner_agents() {
	local body
	options '|name|command|models|color|json!|' "$@"
	case ${words[0]-list}.${#words[@]} in
	list.[01])
		ask GET /api/config/agents || return
		tell 'agents_table'
		;;
	add.2 | rm.2)
		body=$(agent_body "${words[1]}" "${words[0]}")
		ask POST /api/config/agents || return
		if wants_json; then jq . <<<"$answer"; else printf 'agent %s is %s\n' "${words[1]}" "$([[ ${words[0]} == rm ]] && echo removed || echo set)"; fi
		;;
	*) die 2 "agents: nothing, add ID or rm ID is wanted; see chomp agents --help" ;;
	esac
}

agent_body() {
	local name args=()
	if [[ $2 == rm ]]; then
		jq -nc --arg id "$1" '{id: $id, delete: true}'
		return
	fi
	for name in name command models color; do
		[[ ! ${opt[$name]+x} ]] || args+=(--arg "$name" "${opt[$name]}")
	done
	jq -nc "${args[@]}" --arg id "$1" '{name: $id} + $ARGS.named'
}

# ---- watch ------------------------------------------------------------------------------------------------------------------

watch_usage() {
	cat <<-'END'
		usage: chomp watch [--url URL] [--token-file F] ID

		The live terminal of a task. The first one who watches may type; everybody else looks on.

		  Ctrl-] q    leave; the agent goes on
		  Ctrl-] p    take the pen: type, and give the terminal the size of this one
		  Ctrl-] Ctrl-]   type Ctrl-]

		A lost connection is taken up again where it broke off. The exit code is the agent's, or 0 after leaving, 1 when chomp
		refused, 2 for wrong usage.
	END
}

owner_watch() {
	local program=$here/../build/release/bin/chomp-watch
	[[ -x $program ]] || program=$here/../bin/chomp-watch		# installed
	[[ ! ${CHOMP_BIN:-} ]] || program=$CHOMP_BIN/chomp-watch
	options '|url|token-file|' "$@"
	CHOMP_URL=${opt[url]-${CHOMP_URL:-}}
	CHOMP_TOKEN_FILE=${opt[token-file]-${CHOMP_TOKEN_FILE:-}}
	ids_wanted watch
	((${#words[@]} == 1)) || die 2 "watch: one task is wanted"
	[[ -x $program ]] || die 2 "watch: there is no $program; it works where chomp was built or installed"
	owner_connect
	[[ ! ${scratch-} ]] || rm -rf -- "$scratch"
	exec "$program" "$api_url" "${words[0]}" 3< <(printf '%s\n' "$token")
}

# ---- open -------------------------------------------------------------------------------------------------------------------

help_open() {
	cat <<-'END'
		usage: chomp open [--print] [--json] [ID]

		The dashboard, or the page of a task, in a browser ($BROWSER, else xdg-open). Without one, or with --print: the address,
		and on chomp's own host a login link (one use, ten minutes). The link is a secret, so no program gets it as an argument.
	END
}

owner_open() {
	local page=/ login='' browser=${BROWSER:-}
	options '|print!|json!|' "$@"
	if ((${#words[@]})); then
		ids_wanted open
		page=/partials/detail/${words[0]}
	fi
	owner_connect
	[[ $browser ]] || ! [[ ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]] || browser=$(command -v xdg-open) || browser=
	if [[ $browser && ! ${opt[print]-} ]] && ! wants_json; then
		"${browser%%:*}" "$api_url$page" >/dev/null 2>&1 </dev/null || die 1 "${browser%%:*} could not open $api_url$page"
		return
	fi
	if [[ ! ${CHOMP_URL:-} && ! ${CHOMP_TOKEN_FILE:-} ]]; then login=$("$here/chompctl" url 2>/dev/null) || login=; fi
	if wants_json; then
		jq -Rn --arg url "$api_url$page" 'input? // "" | {url: $url, login: (if . == "" then null else . end)}' < <(printf '%s' "$login")
	else
		printf '%s\n' "$api_url$page"
		[[ ! $login ]] || printf 'log in: %s\n' "$login"
	fi
}
