# pi (npm @earendil-works/pi-coding-agent, pinned in scripts/agents/pi). Prompt on stdin, one JSON event per line on stdout.
# Exit code 0 says nothing: pi ends with 0 after a provider's error too, so the last message decides.
# shellcheck shell=bash disable=SC2016 # the dollars are jq's, or pi's

agent_available() {
	need_installed pi pi && route
}

agent_run() {
	local provider model bin
	bin=$(installed_agent pi)
	route >&2 || exit 78
	export PI_CODING_AGENT_DIR=$HOME/.pi/agent PI_CODING_AGENT_SESSION_DIR=$HOME/.pi/sessions
	export PI_OFFLINE=1 PI_TELEMETRY=0
	mkdir -p -- "$PI_CODING_AGENT_DIR" "$PI_CODING_AGENT_SESSION_DIR"
	pi_models >"$PI_CODING_AGENT_DIR/models.json" || exit 73
	# cache warming would be model calls that no event tells of
	printf '{"cacheWarming":"off","defaultProjectTrust":"never"}\n' >"$PI_CODING_AGENT_DIR/settings.json"
	# --no-approve: a repository's .pi/ (settings, extensions) may not redirect pi or its key; AGENTS.md is still read
	as_agent "$bin" --mode json --no-approve --model "$provider/$model" < <(task_prompt)
}

# The owner's own model server. The key stays in the environment; the file names the variable.
pi_models() {
	if [[ $provider != custom ]]; then
		printf '{}\n'
		return
	fi
	jq -n --arg url "$(custom_base_url bare)" --arg model "$model" --arg api "${CUSTOM_API:-openai}" '
		{providers: {custom: {
			baseUrl: $url, apiKey: "$CUSTOM_API_KEY",
			api: (if $api == "anthropic" then "anthropic-messages" else "openai-completions" end),
			models: [{id: $model, contextWindow: 128000, maxTokens: 16384}]
		}}}'
}

# One message_end per model call, before that call's tools run; turn_end and agent_end repeat the same messages.
agent_usage() {
	jq_totals '
		if .type == "message_end" and .message.role == "assistant" then .message.usage
		elif .type == "compaction_end" then .result.usage?
		else null end
		| if type == "object" then {input, output, cache_read: .cacheRead, cache_write: .cacheWrite} else null end'
}

agent_render() {
	jq_screen '
		def args: if .toolName == "bash" then .args.command
			elif .args.path then .args.path
			else .args end | one_line | cut(200);
		def result: [.result.content[]? | select(.type == "text") | .text] | join("\n");
		def shown:
			if .type == "message_update" then .assistantMessageEvent
				| if .type == "text_delta" then .delta | clean
				  elif .type == "thinking_delta" then .delta | clean | dim
				  elif .type == "text_start" or .type == "text_end" or .type == "thinking_end" then mark
				  else empty end
			elif .type == "tool_execution_start" then mark, ("● \(.toolName | one_line)" | bold | cyan) + " " + args + "\n"
			elif .type == "tool_execution_end" then mark, (.isError as $bad | result | if . == "" then empty
				else (few_lines(12) | if $bad then red else dim end) + "\n" end)
			elif .type == "message_end" and (.message.stopReason == "error" or .message.stopReason == "aborted")
				then mark, ("✗ \(.message.errorMessage // .message.stopReason | one_line | cut(500))" | red) + "\n"
			elif .type == "auto_retry_start" then mark, ("retry \(.attempt)/\(.maxAttempts) in \((.delayMs // 0) / 1000) s: \(.errorMessage | one_line | cut(300))" | yellow) + "\n"
			elif .type == "compaction_start" then mark, ("the conversation is being summarised (\(.reason | one_line))" | dim) + "\n"
			else empty end;'
}

# $1 the exit code; the events on stdin. {failed: reason or null, result: last words}
agent_verdict() {
	jq -cnR --argjson code "$1" --rawfile stderr "$CHOMP_STATE/stderr" "$JQ_COMMON"'
		(reduce (events | select(.type == "message_end" and .message.role == "assistant") | .message) as $m (null; $m)) as $last
		| ($stderr | clean | split("\n") | map(select(. != "")) | last // "") as $said
		| {
			failed: (
				if $last == null then "pi ended without an answer of the model" + (if $said == "" then "" else ": " + ($said | cut(1000)) end)
				elif $last.stopReason == "error" or $last.stopReason == "aborted"
					then "pi: " + ($last.errorMessage // $last.stopReason | clean | cut(1000))
				else null end),
			result: ([$last.content[]? | select(.type == "text") | .text] | join("\n") | clean | .[:15000])
		}'
}
