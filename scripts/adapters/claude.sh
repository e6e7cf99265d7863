# Claude Code (npm @anthropic-ai/claude-code, pinned in scripts/agents/claude). Prompt on stdin, one JSON event per line on stdout.
# shellcheck shell=bash disable=SC2016 # the dollars are jq's

agent_available() {
	need_installed claude 'Claude Code' && (claude_route)
}

# It speaks Anthropic's API and nothing else. Sets the address, the key and `model`; prints the reason when one is missing.
claude_route() {
	model=${MODEL:-}
	[[ $model ]] || {
		printf 'no model is named: choose one for this task'
		return 1
	}
	unset ANTHROPIC_AUTH_TOKEN ANTHROPIC_CUSTOM_HEADERS
	case ${ROUTER:-} in
	'')
		need_keys ANTHROPIC_API_KEY || return
		model=${model#anthropic/}
		;;
	custom)
		need_custom anthropic 'Claude Code' || return
		export ANTHROPIC_API_KEY=${CUSTOM_API_KEY:-none}
		ANTHROPIC_BASE_URL=$(custom_base_url bare)
		;;
	openrouter)
		need_keys OPENROUTER_API_KEY || return
		[[ $model == */* ]] || model=anthropic/$model
		export ANTHROPIC_AUTH_TOKEN=$OPENROUTER_API_KEY ANTHROPIC_API_KEY=
		ANTHROPIC_BASE_URL=https://openrouter.ai/api
		;;
	zen)
		need_keys OPENCODE_ZEN_API_KEY || return
		export ANTHROPIC_API_KEY=$OPENCODE_ZEN_API_KEY
		ANTHROPIC_BASE_URL=https://opencode.ai/zen
		;;
	cf-ai)
		need_keys CLOUDFLARE_API_TOKEN CLOUDFLARE_ACCOUNT_ID CLOUDFLARE_AI_GATEWAY_ID || return
		export ANTHROPIC_API_KEY=none ANTHROPIC_CUSTOM_HEADERS="cf-aig-authorization: Bearer $CLOUDFLARE_API_TOKEN"
		ANTHROPIC_BASE_URL=$(gateway_url anthropic)
		model=${model#anthropic/}
		;;
	*)
		printf 'router %s is not known' "$ROUTER"
		return 1
		;;
	esac
	[[ -z ${ANTHROPIC_BASE_URL:-} ]] || export ANTHROPIC_BASE_URL
}

agent_run() {
	local model bin
	bin=$(installed_agent claude)
	claude_route >&2 || exit 78
	# the box is the boundary; what it would ask for at the keyboard it may do here
	export IS_SANDBOX=1 CLAUDE_CONFIG_DIR=$HOME/.claude
	export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1
	# by itself it retries for minutes, even what will never be let in
	export CLAUDE_CODE_MAX_RETRIES=3
	# no other model for small questions: the task's model and router are what the owner chose
	export ANTHROPIC_SMALL_FAST_MODEL=$model ANTHROPIC_DEFAULT_HAIKU_MODEL=$model
	mkdir -p -- "$CLAUDE_CONFIG_DIR"
	# --setting-sources, --strict-mcp-config: a repository's .claude/ and .mcp.json may not redirect it, its key or its tools
	as_agent "$bin" -p --output-format stream-json --verbose --include-partial-messages --permission-mode bypassPermissions \
		--setting-sources user --strict-mcp-config --model "$model" < <(task_prompt)
}

# While it runs, each call's own usage: what message_start says, and then message_delta. At the end `result` has the sum, with
# what sub-agents used; there may be several.
agent_usage() {
	jq -cnR --unbuffered "$JQ_COMMON"'
		def counts: {input: .input_tokens, output: .output_tokens, cache_read: .cache_read_input_tokens,
			cache_write: .cache_creation_input_tokens} | map_values(select(type == "number"));
		def zero: {input: 0, output: 0, cache_read: 0, cache_write: 0};
		def plus(b): reduce ("input", "output", "cache_read", "cache_write") as $k (.; .[$k] += (b[$k] // 0));
		def by_model: (.model_usage_since_last_result // .modelUsage // {})[]
			| {input: .inputTokens, output: .outputTokens, cache_read: .cacheReadInputTokens, cache_write: .cacheCreationInputTokens};
		foreach events as $e ({live: zero, open: {}, sum: null};
			.new = null | ($e.parent_tool_use_id // "") as $who
			| if $e.type == "stream_event" and $e.event.type == "message_start" then
				.open[$who] = zero + ($e.event.message.usage // {} | counts)
			elif $e.type == "stream_event" and $e.event.type == "message_delta" then
				(.open[$who] // zero) as $o | .live |= plus($o + ($e.event.usage // {} | counts)) | .open[$who] = zero
				| .new = .live
			elif $e.type == "result" then
				.sum = (reduce ($e | by_model) as $m (.sum // zero; plus($m))) | .new = .sum
			else . end;
			if .new == null or ([.new[]] | add) == 0 then empty else .new end)'
}

agent_render() {
	jq_screen '
		def args: (.command // .file_path // .path // .pattern // .query // .url // .) | one_line | cut(200);
		def result: if (.content | type) == "array" then [.content[]? | select(.type == "text") | .text] | join("\n") else .content | text end;
		def shown:
			if .type == "stream_event" then .event
				| if .type == "content_block_delta" and .delta.type == "text_delta" then .delta.text | clean
				  elif .type == "content_block_delta" and .delta.type == "thinking_delta" then .delta.thinking | clean | dim
				  elif .type == "content_block_start" or .type == "content_block_stop" then mark
				  else empty end
			elif .type == "assistant" then .message.content[]? | select(.type == "tool_use")
				| mark, ("● \(.name | one_line)" | bold | cyan) + " " + (.input | args) + "\n"
			elif .type == "user" then .message.content[]? | select(type == "object" and .type == "tool_result")
				| mark, ((.is_error == true) as $bad | result | if . == "" then empty
					else (few_lines(12) | if $bad then red else dim end) + "\n" end)
			elif .type == "system" and .subtype == "api_retry" then mark,
				("retry \(.attempt)/\(.max_retries) in \((.retry_delay_ms // 0) / 1000 | floor) s: \(.error_status // "") \(.error | one_line | cut(300))" | yellow) + "\n"
			elif .type == "result" and .is_error then mark, ("✗ \(.result // .subtype | one_line | cut(500))" | red) + "\n"
			else empty end;'
}

# $1 the exit code; the events on stdin. {failed: reason or null, result: last words}
agent_verdict() {
	jq -cnR --argjson code "$1" --rawfile stderr "$CHOMP_STATE/stderr" "$JQ_COMMON"'
		(reduce (events | select(.type == "result")) as $r (null; $r)) as $last
		| ($stderr | clean | split("\n") | map(select(. != "")) | last // "") as $said
		| {
			failed: (
				if $last == null then "Claude Code ended without a result" + (if $said == "" then "" else ": " + ($said | cut(1000)) end)
				elif $last.is_error == true then "Claude Code: " + ($last.result // ($last.errors // [] | join("; ")) // $last.subtype | clean | cut(1000))
				else null end),
			result: (if $last.is_error == true then "" else $last.result // "" end | clean | .[:15000])
		}'
}
