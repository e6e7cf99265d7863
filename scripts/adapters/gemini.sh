# Gemini CLI (npm @google/gemini-cli, pinned in scripts/agents/gemini). Prompt on stdin, one JSON event per line on stdout.
# It ignores TERM: run-agent's KILL ends it.
# shellcheck shell=bash disable=SC2016 # the dollars are jq's

agent_available() {
	need_installed gemini 'Gemini CLI' && (gemini_route)
}

# It speaks Google's API alone; a custom server is taken to speak that, whatever custom_api says.
gemini_route() {
	model=${MODEL:-}
	model=${model#google/}
	[[ $model ]] || {
		printf 'no model is named: choose one for this task'
		return 1
	}
	case ${ROUTER:-} in
	'') need_keys GEMINI_API_KEY ;;
	custom)
		need_custom "${CUSTOM_API:-openai}" 'Gemini CLI' || return
		export GEMINI_API_KEY=${CUSTOM_API_KEY:-none} GOOGLE_GEMINI_BASE_URL=${CUSTOM_BASE_URL%/}
		GOOGLE_GEMINI_BASE_URL=${GOOGLE_GEMINI_BASE_URL%/v1}
		;;
	*)
		printf 'Gemini CLI speaks Google'\''s API only; it cannot go through router %s' "$ROUTER"
		return 1
		;;
	esac
}

agent_run() {
	local model bin
	bin=$(installed_agent gemini)
	gemini_route >&2 || exit 78
	mkdir -p -- "$HOME/.gemini"
	# without this a base address would mean another way to sign in
	printf '{"security":{"auth":{"selectedType":"gemini-api-key"}},"privacy":{"usageStatisticsEnabled":false},"general":{"disableAutoUpdate":true}}\n' \
		>"$HOME/.gemini/settings.json"
	hide_project_files .gemini
	as_agent "$bin" --output-format stream-json --yolo --skip-trust -m "$model" < <(task_prompt)
}

# The only count is in the last event; output without the thinking is not what was paid for, the difference to the total is.
agent_usage() {
	jq_totals '
		if .type == "result" then .stats
			| if type == "object" then {input: .input, output: ((.total_tokens // 0) - (.input_tokens // 0)), cache_read: .cached} else null end
		else null end'
}

agent_render() {
	jq_screen '
		def args: (.command // .file_path // .absolute_path // .path // .pattern // .) | one_line | cut(200);
		def shown:
			if .type == "message" and .role == "assistant" then .content | clean
			elif .type == "tool_use" then mark, ("● \(.tool_name | one_line)" | bold | cyan) + " " + (.parameters | args) + "\n"
			elif .type == "tool_result" then mark, ((.status != "success") as $bad | (.output // .error.message? // "") | text
				| if . == "" then empty else (few_lines(12) | if $bad then red else dim end) + "\n" end)
			elif .type == "error" then mark, (.message | one_line | cut(500) | yellow) + "\n"
			elif .type == "result" and .status != "success" then mark, ("✗ \(.error.message? // .status | one_line | cut(500))" | red) + "\n"
			else empty end;'
}

# $1 the exit code; the events on stdin. {failed: reason or null, result: last words}
agent_verdict() {
	jq -cnR --argjson code "$1" --rawfile stderr "$CHOMP_STATE/stderr" "$JQ_COMMON"'
		(reduce events as $e ({text: ""};
			if $e.type == "result" then .last = $e
			elif $e.type == "tool_use" then .text = ""
			elif $e.type == "message" and $e.role == "assistant" then .text += ($e.content | text)
			else . end))
		| ($stderr | clean | split("\n") | map(select(. != "")) | last // "") as $said
		| {
			failed: (
				if .last == null then "Gemini CLI ended without a result" + (if $said == "" then "" else ": " + ($said | cut(1000)) end)
				elif .last.status != "success" then "Gemini CLI: " + (.last.error.message? // .last.status | clean | cut(1000))
				else null end),
			result: (.text | clean | .[:15000])
		}'
}
