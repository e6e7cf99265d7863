# opencode (npm opencode-ai, pinned in scripts/agents/opencode). Prompt on stdin, one JSON event per line on stdout.
# shellcheck shell=bash disable=SC2016 # the dollars are jq's

agent_available() {
	need_installed opencode opencode && route
}

agent_run() {
	local provider model bin
	bin=$(installed_agent opencode)
	route >&2 || exit 78
	export GOOGLE_GENERATIVE_AI_API_KEY=${GEMINI_API_KEY:-}
	OPENCODE_CONFIG_CONTENT=$(opencode_config) || exit 73
	export OPENCODE_CONFIG_CONTENT
	# sub-agents are missing from the event stream, and so would be their tokens
	export OPENCODE_PERMISSION='{"task":"deny"}'
	# A repository's opencode.json and .opencode/ (providers, plugins, commands) may not redirect opencode or its key. The two
	# switches are not enough: 1.18 has a second reader of both, which knows neither and imports .opencode/plugin/*.js.
	export OPENCODE_DISABLE_PROJECT_CONFIG=1 OPENCODE_PURE=1
	hide_project_files opencode.json opencode.jsonc .opencode
	export OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_MODELS_FETCH=1 OPENCODE_DISABLE_LSP_DOWNLOAD=1
	no_plugin_install
	# --title: without one opencode asks the model for it, in a call that no event tells of
	as_agent "$bin" run --format json --auto --title "chomp $TASK_ID" -m "$provider/$model" < <(task_prompt)
}

# On every run opencode fetches a library for plugins with npm, in the background, 90 MB in the end; we allow no plugins. It leaves
# a directory alone that it cannot write.
no_plugin_install() {
	local dir=${XDG_CONFIG_HOME:-$HOME/.config}/opencode
	mkdir -p -- "$dir" && : >"$dir/.gitignore" && chmod 555 -- "$dir"
}

# In the environment this configuration wins over every file. The custom server's key is named, not written.
opencode_config() {
	local instructions
	mapfile -t instructions < <(project_notes AGENTS.md || project_notes CLAUDE.md)
	jq -n --arg provider "$provider" --arg model "$model" --arg url "$(custom_base_url versioned)" --arg api "${CUSTOM_API:-openai}" '
		{autoupdate: false, share: "disabled", small_model: "\($provider)/\($model)", instructions: $ARGS.positional}
		+ if $provider != "custom" then {} else {provider: {custom: {
			npm: (if $api == "anthropic" then "@ai-sdk/anthropic" else "@ai-sdk/openai-compatible" end),
			name: "custom", options: {baseURL: $url, apiKey: "{env:CUSTOM_API_KEY}"},
			models: {($model): {name: $model, limit: {context: 128000, output: 16384}}}
		}}} end' --args "${instructions[@]}"
}

# The one thing of the project's that is wanted, and goes with OPENCODE_DISABLE_PROJECT_CONFIG: its notes for agents, from here up
# to the root of the repository.
project_notes() {
	local dir=$PWD found=1
	while [[ $dir ]]; do
		[[ ! -f $dir/$1 ]] || { printf '%s\n' "$dir/$1" && found=0; }
		[[ ! -e $dir/.git ]] || break
		dir=${dir%/*}
	done
	return "$found"
}

# One step_finish per model call, after that step's tools; output leaves the reasoning out.
agent_usage() {
	jq_totals '
		if .type == "step_finish" then .part.tokens
			| {input, output: ((.output // 0) + (.reasoning // 0)), cache_read: .cache.read, cache_write: .cache.write}
		else null end'
}

agent_render() {
	jq_screen '
		def args: if .input.command then .input.command elif .input.filePath then .input.filePath else .input end | one_line | cut(200);
		def shown:
			if .type == "text" then mark, (.part.text | clean), mark
			elif .type == "reasoning" then mark, (.part.text | clean | dim), mark
			elif .type == "tool_use" then mark, ("● \(.part.tool | one_line)" | bold | cyan) + " " + (.part.state | args) + "\n",
				(.part.state | if .status == "error" then (.error | few_lines(12) | red) + "\n"
				 elif (.output // "") == "" then empty
				 else (.output | few_lines(12) | dim) + "\n" end)
			elif .type == "error" then mark, ("✗ \(.error | .data.message? // .message? // .name? // . | one_line | cut(500))" | red) + "\n"
			else empty end;'
}

# $1 the exit code; the events on stdin. {failed: reason or null, result: last words}
agent_verdict() {
	jq -cnR --argjson code "$1" --rawfile stderr "$CHOMP_STATE/stderr" "$JQ_COMMON"'
		(reduce events as $e ({};
			if $e.type == "error" then .error = $e.error
			elif $e.type == "text" then .text = $e.part.text
			elif $e.type == "step_finish" then .answered = true
			else . end))
		| ($stderr | clean | split("\n") | map(select(. != "")) | last // "") as $said
		| {
			failed: (
				if .error then "opencode: " + (.error | .data.message? // .message? // .name? // . | clean | cut(1000))
				elif .answered then null
				else "opencode ended without an answer of the model" + (if $said == "" then "" else ": " + ($said | cut(1000)) end) end),
			result: (.text | clean | .[:15000])
		}'
}
