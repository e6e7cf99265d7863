# Codex (npm @openai/codex, pinned in scripts/agents/codex). Prompt on stdin, one JSON event per line on stdout.
# shellcheck shell=bash disable=SC2016 # the dollars are jq's

agent_available() {
	need_installed codex Codex && (codex_route)
}

# It speaks OpenAI's responses API and nothing else. Sets url, key_name, headers and model; prints the reason when one is missing.
# shellcheck disable=SC2034 # agent_run's variables
codex_route() {
	model=${MODEL:-} key_name='' headers='{}'
	[[ $model ]] || {
		printf 'no model is named: choose one for this task'
		return 1
	}
	case ${ROUTER:-} in
	'')
		key_name=OPENAI_API_KEY url=https://api.openai.com/v1
		model=${model#openai/}
		;;
	custom)
		need_custom openai Codex || return
		export CUSTOM_API_KEY=${CUSTOM_API_KEY:-none}
		key_name=CUSTOM_API_KEY url=$(custom_base_url versioned)
		;;
	openrouter)
		key_name=OPENROUTER_API_KEY url=https://openrouter.ai/api/v1
		[[ $model == */* ]] || model=openai/$model
		;;
	zen) key_name=OPENCODE_ZEN_API_KEY url=https://opencode.ai/zen/v1 ;;
	cf-ai)
		need_keys CLOUDFLARE_API_TOKEN CLOUDFLARE_ACCOUNT_ID CLOUDFLARE_AI_GATEWAY_ID || return
		export CF_AIG_AUTHORIZATION="Bearer $CLOUDFLARE_API_TOKEN"
		key_name=CLOUDFLARE_API_TOKEN url=$(gateway_url openai) headers='{"cf-aig-authorization"="CF_AIG_AUTHORIZATION"}'
		model=${model#openai/}
		;;
	*)
		printf 'router %s is not known' "$ROUTER"
		return 1
		;;
	esac
	need_keys "$key_name"
}

agent_run() {
	local model url key_name headers bin provider
	bin=$(installed_agent codex)
	codex_route >&2 || exit 78
	export CODEX_HOME=$HOME/.codex/$SESSION_ID		# what it writes down is this session's alone
	mkdir -p -- "$CODEX_HOME"
	# the key's name, never the key: arguments can be read by every process in the box
	provider=$(jq -nr --arg url "$url" --arg key "$key_name" --arg headers "$headers" \
		'"{name=\"chomp\",base_url=\($url | tojson),env_key=\($key | tojson),wire_api=\"responses\",env_http_headers=\($headers)}"')
	codex_counts "$BASHPID" &
	# multi_agent: the tokens of sub-agents are in no event
	as_agent "$bin" exec --json --skip-git-repo-check --disable multi_agent --dangerously-bypass-approvals-and-sandbox \
		-c model_provider=chomp -c "model_providers.chomp=$provider" -m "$model" - < <(task_prompt)
}

# Its stream tells of tokens when the turn is over; what it writes down for itself does after every call. Those lines go into
# the stream while it lives ($1), so that the meter runs, and a run that was ended has a count.
codex_counts() {
	local file=''
	while kill -0 "$1" 2>/dev/null; do
		for file in "$CODEX_HOME"/sessions/*/*/*/rollout-*.jsonl; do
			tail -n +1 -s 0.5 --pid="$1" -F -- "$file" 2>/dev/null | grep --line-buffered '"token_count"'
			return
		done
		nap 0.5
	done
}

# Totals of the thread, cached tokens among the input's.
agent_usage() {
	jq -cnR --unbuffered "$JQ_COMMON"'
		events
		| if .type == "turn.completed" then .usage
		  elif .type == "event_msg" and .payload.type == "token_count" then .payload.info.total_token_usage
		  else null end
		| select(type == "object")
		| (.cached_input_tokens // 0) as $read | (.cache_write_input_tokens // 0) as $write
		| {input: ((.input_tokens // 0) - $read - $write), output: (.output_tokens // 0), cache_read: $read, cache_write: $write}
		| select(([.[]] | add) > 0)'
}

agent_render() {
	jq_screen '
		def changes: [.changes[]? | "\(.kind // "") \(.path // "")"] | join(", ");
		def shown:
			if .type == "item.started" and .item.type == "command_execution" then
				mark, ("● shell" | bold | cyan) + " " + (.item.command | one_line | cut(200)) + "\n"
			elif .type == "item.completed" then .item
				| if .type == "agent_message" then mark, (.text | clean), mark
				  elif .type == "reasoning" then mark, (.text | clean | dim), mark
				  elif .type == "command_execution" then mark, ((.exit_code != 0) as $bad | .aggregated_output | text
					| if . == "" then empty else (few_lines(12) | if $bad then red else dim end) + "\n" end)
				  elif .type == "file_change" then mark, ("● edit" | bold | cyan) + " " + (changes | one_line | cut(300)) + "\n"
				  elif .type == "error" then mark, (.message | one_line | cut(500) | yellow) + "\n"
				  elif .type == "mcp_tool_call" or .type == "web_search" then
					mark, ("● \(.type | one_line)" | bold | cyan) + " " + (.tool // .query | one_line | cut(200)) + "\n"
				  else empty end
			elif .type == "error" then mark, (.message | one_line | cut(500) | yellow) + "\n"
			elif .type == "turn.failed" then mark, ("✗ \(.error.message // .error | one_line | cut(500))" | red) + "\n"
			else empty end;'
}

# $1 the exit code; the events on stdin. {failed: reason or null, result: last words}
agent_verdict() {
	jq -cnR --argjson code "$1" --rawfile stderr "$CHOMP_STATE/stderr" "$JQ_COMMON"'
		(reduce events as $e ({};
			if $e.type == "turn.failed" then .error = ($e.error.message? // $e.error)
			elif $e.type == "error" then .last_error = $e.message
			elif $e.type == "turn.completed" then .answered = true
			elif $e.type == "item.completed" and $e.item.type == "agent_message" then .text = $e.item.text
			else . end))
		| ($stderr | clean | split("\n") | map(select(. != "")) | last // "") as $said
		| {
			failed: (
				if .error then "codex: " + (.error | clean | cut(1000))
				elif .answered then null
				else "codex ended without an answer of the model" + (.last_error // $said | clean | if . == "" then "" else ": " + cut(1000) end) end),
			result: (.text | clean | .[:15000])
		}'
}
