# What adapters share. Sourced by run-agent before the adapter; no agent's id begins with "_", so this is none.
# shellcheck shell=bash

# ---- where an agent is ------------------------------------------------------------------------------------------------------

# The launcher that `chompctl agent install` made; it brings its own Node where the agent needs one.
installed_agent() {
	local bin=$CHOMP_AGENTS/$1/bin/$1
	[[ -x $bin ]] && printf '%s' "$bin"
}

need_installed() {
	installed_agent "$1" >/dev/null && return 0
	printf '%s is not installed on this sandbox host; install it with: chompctl agent install %s' "$2" "$1"
	return 1
}

# For agents that this version knows by name only: says what is missing, and never pretends.
not_runnable_yet() {
	local name=$1 bin=$2
	if command -v "$bin" >/dev/null || installed_agent "$bin" >/dev/null; then
		printf '%s is installed here, but this version of chomp cannot run it yet' "$name"
	else
		printf '%s is not installed on this sandbox host, and this version of chomp cannot run it yet' "$name"
	fi
	return 1
}

# ---- what the agent is asked ------------------------------------------------------------------------------------------------

# The prompt for an agent that reads it from stdin: what earlier sessions left, a fixed first line, the user's text byte for
# byte, a fixed last line. The first keeps a leading "/" or "@" from being a command of the agent, the last keeps an agent
# that trims its input from touching the user's text.
task_prompt() {
	earlier_sessions
	budget_note
	printf 'Task:\n'
	cat -- "$TASK_PROMPT_FILE"
	printf '\n(end of the task)\n'
}

# shellcheck disable=SC2154 # run-agent's
budget_note() {
	((token_budget > 0 && tokens_left * 5 <= token_budget)) || return 0
	printf 'Of the %d tokens that this task may use about %d are left: come to an end.\n\n' "$token_budget" "$tokens_left"
}

earlier_sessions() {
	[[ -s ${CHOMP_HISTORY_FILE:-} ]] || return 0
	jq -r '
		map(select((.summary // "") != "")) | select(length > 0)
		| "Earlier sessions worked on this task and left these notes, oldest first:\n",
		  (.[] | "--- \(.sessionId // "?") (\([.agent, .model] | map(select(. // "" != "")) | join(" ")), ended: \(.result // "?"))\n\(.summary)\n")
	' "$CHOMP_HISTORY_FILE"
}

# ---- a project's own configuration ------------------------------------------------------------------------------------------

# For an agent that cannot be told to leave it alone: takes what has one of these names, here or above up to the root of the
# clone, out of the work tree. Git does not miss it (skip-worktree), and collect puts it back before it looks for changes.
hide_project_files() {
	local root dir=$PWD name path
	[[ -s $CHOMP_STATE/repo ]] || return 0
	read -r root <"$CHOMP_STATE/repo"
	while [[ $dir/ == "$root"/* ]]; do
		for name; do
			path=$dir/$name
			[[ -e $path || -L $path ]] || continue
			[[ $PWD/ != "$path"/* ]] || continue
			say "hidden from $AGENT: ${path#"$root"/}" >&2
			our_git -C "$root" ls-files -z -- ":(top,literal)${path#"$root"/}" | tee -a "$CHOMP_STATE/hidden" |
				our_git -C "$root" update-index -z --skip-worktree --stdin
			rm -rf -- "$path"
		done
		dir=${dir%/*}
	done
}

# ---- which model, by which way ----------------------------------------------------------------------------------------------

# Whose model a bare name is; OpenRouter and the providers' own APIs want to know.
vendor_of() {
	case $1 in
	claude*) printf anthropic ;;
	gpt* | chatgpt* | codex* | o[0-9]*) printf openai ;;
	gemini*) printf google ;;
	*) return 1 ;;
	esac
}

need_keys() {
	local key
	for key; do
		[[ -n ${!key:-} ]] || {
			printf 'the key %s is not set; set it in the settings (router %s)' "$key" "${ROUTER:-none}"
			return 1
		}
	done
}

# Sets provider and model as the catalogues of pi and opencode name them, and exports the keys under the names those two read.
# Prints the reason when a key or name is missing. Router "custom" is the adapter's own provider, called "custom".
# shellcheck disable=SC2034 # the adapters declare provider and model, and use them
route() {
	local vendor key
	model=${MODEL:-}
	[[ $model ]] || {
		printf 'no model is named: choose one for this task'
		return 1
	}
	case ${ROUTER:-} in
	custom)
		[[ ${CUSTOM_BASE_URL:-} ]] || {
			printf 'router custom has no address: set custom_base_url in the settings'
			return 1
		}
		[[ ${CUSTOM_API:-openai} == openai || $CUSTOM_API == anthropic ]] || {
			printf 'custom_api is "%s": openai or anthropic is wanted' "$CUSTOM_API"
			return 1
		}
		provider=custom
		# servers such as Ollama want no key, the agents insist on one
		export CUSTOM_API_KEY=${CUSTOM_API_KEY:-none}
		;;
	openrouter)
		need_keys OPENROUTER_API_KEY || return
		provider=openrouter
		[[ $model == */* ]] || model=$(vendor_of "$model" && printf /)$model
		;;
	zen)
		need_keys OPENCODE_ZEN_API_KEY || return
		provider=opencode
		export OPENCODE_API_KEY=$OPENCODE_ZEN_API_KEY
		;;
	cf-ai)
		need_keys CLOUDFLARE_API_TOKEN CLOUDFLARE_ACCOUNT_ID CLOUDFLARE_AI_GATEWAY_ID || return
		provider=cloudflare-ai-gateway
		# pi reads the one name, opencode the other
		export CLOUDFLARE_API_KEY=$CLOUDFLARE_API_TOKEN CLOUDFLARE_GATEWAY_ID=$CLOUDFLARE_AI_GATEWAY_ID
		;;
	'')
		vendor=${model%%/*}
		case $vendor in
		anthropic | openai | google) model=${model#*/} ;;
		*) vendor=$(vendor_of "$model") || {
			printf 'model %s: no provider of that name is known; write provider/model, or choose a router' "$model"
			return 1
		} ;;
		esac
		case $vendor in
		anthropic) key=ANTHROPIC_API_KEY ;;
		openai) key=OPENAI_API_KEY ;;
		google) key=GEMINI_API_KEY ;;
		esac
		need_keys "$key" || return
		provider=$vendor
		;;
	*)
		printf 'router %s is not known' "$ROUTER"
		return 1
		;;
	esac
}

# For an agent that speaks one API only: the custom server must be there, and speak it.
need_custom() {
	[[ ${CUSTOM_BASE_URL:-} ]] || {
		printf 'router custom has no address: set custom_base_url in the settings'
		return 1
	}
	[[ ${CUSTOM_API:-openai} == "$1" ]] || {
		printf '%s speaks the %s API only, and custom_api is "%s"' "$2" "$1" "${CUSTOM_API:-openai}"
		return 1
	}
}

# Cloudflare's AI Gateway for one provider's API. The ids become a part of the address.
gateway_url() {
	printf 'https://gateway.ai.cloudflare.com/v1/%s/%s/%s' "$(uri "$CLOUDFLARE_ACCOUNT_ID")" "$(uri "$CLOUDFLARE_AI_GATEWAY_ID")" "$1"
}

uri() {
	jq -nr --arg text "$1" '$text | @uri'
}

# The custom server's address as an SDK wants it: with the version at the end, or without.
custom_base_url() {
	local url=${CUSTOM_BASE_URL%/}
	case ${CUSTOM_API:-openai}-$1 in
	anthropic-bare) url=${url%/v1} ;;
	anthropic-versioned) [[ $url == */v1 ]] || url=$url/v1 ;;
	esac
	printf '%s' "$url"
}

# ---- a conversation that has become too long --------------------------------------------------------------------------------

readonly CONTEXT_FULL='The conversation was too long for the model; the work so far is kept.'
readonly CONTEXT_HANDOFFS=3

# Whether the agent stopped for its context limit. The next session begins afresh with what is there; when that has happened
# CONTEXT_HANDOFFS times in a row it would not get further, and this is a failure like another.
context_is_full() {
	grep -qiE 'context.?(length|window|limit|size)|maximum context|prompt is too long|too many (input )?tokens|input.{1,20}too long' <<<"$1" || return
	jq -e --arg mark "$CONTEXT_FULL" --argjson most "$CONTEXT_HANDOFFS" '
		length < $most or (.[-$most:] | all(.result == "handoff" and ((.summary // "") | startswith($mark))) | not)' \
		"${CHOMP_HISTORY_FILE:-/dev/null}" >/dev/null 2>&1
}

# ---- limits of a provider ----------------------------------------------------------------------------------------------------

# When the limit that this message speaks of is over, as RFC 3339; non-zero when it speaks of none, or does not say when.
# Claude: "usage limit reached|1771000000"; OpenAI and its like: "try again in 1h2m3.5s"; Gemini: "reset after 34s"; a time.
limit_ends_at() {
	jq -enrR --arg said "$1" '
		def seconds: [scan("([0-9.]+) ?(ms|milliseconds?|d|days?|h|hours?|hrs?|m|min|mins|minutes?|s|secs?|seconds?)(?![a-z])")
				| (.[0] | tonumber) * ({m: 60, h: 3600, d: 86400, s: 1}[if .[1] | startswith("ms") or startswith("milli") then "" else .[1][:1] end] // 0.001)]
			| if length == 0 then null else add end;
		($said | ascii_downcase) as $low
		| if $low | test("rate.?limit|usage limit|limit reached|quota|too many requests|(^|[^0-9])429([^0-9]|$)|overloaded") | not then empty
		  elif $low | test("limit reached\\|[0-9]{10}") then $low | capture("limit reached\\|(?<t>[0-9]{10})").t | tonumber
		  elif $low | test("(reset|again|retry|until)[^\n]{0,40}[0-9]{4}-[0-9]{2}-[0-9]{2}t[0-9:]{8}(\\.[0-9]+)?z")
			then $low | capture("(?<t>[0-9]{4}-[0-9]{2}-[0-9]{2}t[0-9:]{8})(\\.[0-9]+)?z").t | ascii_upcase + "Z" | fromdateiso8601
		  else ($low | (capture("(again|retry|reset|resets|available)( in| after|-after:?) (about |approximately )?(?<d>([0-9.]+ ?[a-z]+,? ?(and )?)+)") | .d) | seconds)
			| if . == null then empty else now + . + 1 end
		  end | floor | todateiso8601' 2>/dev/null
}

# ---- event streams ----------------------------------------------------------------------------------------------------------

# Beginning of every jq program here.
#  events       the objects of the stream; a line that is no JSON object is skipped
#  clean        text of a model or a tool, without the control characters that would command a terminal
#  dim red …    colours; "line" starts a new line first unless one was just started (see `screen`)
#  total(f)     running totals: f gives an event's {input, output, cache_read, cache_write} or null; all zero means that the
#               provider reported nothing, and nothing is what we then say
#  screen(f)    prints what f makes of each event: strings, and the mark "line"
# shellcheck disable=SC2034,SC2016 # used by the adapters; these are jq's variables
readonly JQ_COMMON='
	def events: inputs | fromjson? | select(type == "object");
	def text: if type == "string" then . elif . == null then "" else tojson end;
	def clean: text | explode | map(select(. == 10 or . == 9 or (. >= 32 and (. < 127 or . > 159)))) | implode;
	def one_line: clean | gsub("[\n\t ]+"; " ");
	def cut(n): if length > n then .[:n] + "…" else . end;
	def coloured(c): if . == "" then . else "\u001b[" + c + "m" + . + "\u001b[0m" end;
	def dim: coloured("2"); def bold: coloured("1"); def red: coloured("31"); def yellow: coloured("33"); def cyan: coloured("36");
	def few_lines(n): clean | rtrimstr("\n") | split("\n")
		| if length > n then .[:n] + ["… \(length - n) more lines"] else . end | map("  " + cut(300)) | join("\n");
	def mark: {line: true};
	def total(f): foreach events as $e ({input: 0, output: 0, cache_read: 0, cache_write: 0};
		([$e | f] | first // null) as $u
		| if ($u | type) != "object" or ([$u[] // 0] | add) == 0 then .new = false
		  else reduce keys[] as $k (.; if $k == "new" then . else .[$k] += ($u[$k] // 0) end) | .new = true end;
		if .new then del(.new) else empty end);
	def screen(f): foreach (events | f) as $out ({fresh: true};
		if ($out | type) == "object" then .say = (if .fresh then "" else "\n" end) | .fresh = true
		elif $out == "" then .say = ""
		else .say = $out | .fresh = ($out | endswith("\n")) end;
		.say);
'

jq_totals() {
	jq -cnR --unbuffered "$JQ_COMMON total($1)"
}

jq_screen() {
	jq -jnR --unbuffered "$JQ_COMMON $1 screen(shown), \"\n\""
}
