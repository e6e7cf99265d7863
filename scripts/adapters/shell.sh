# Shell: the prompt is a bash script. It has the terminal to itself; it reports no tokens, because it has none.
# shellcheck shell=bash disable=SC2154

agent_available() {
	return 0
}

# A script stays what it is; what the gate said is in $GATE_OUTPUT_FILE.
agent_again() {
	cat -- "$first_prompt"
}

agent_run() {
	local script=$CHOMP_STATE/task.sh
	# a form in a browser sends CRLF; bash would take the CR for a part of the last word
	sed 's/\r$//' -- "$TASK_PROMPT_FILE" >"$script"
	unset BASH_ENV ENV
	as_agent bash -- "$script"
}
