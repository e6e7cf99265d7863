# Agents of the owner's own: AGENT_COMMAND is a template, split at white space into words, without a shell. {prompt},
# {prompt_file}, {model} and {dir} are replaced inside the words, so each stays (part of) one argument, whatever it holds. A
# template with neither {prompt} nor {prompt_file} gets the prompt on stdin; the others keep the terminal there.
# shellcheck shell=bash

readonly ARGUMENT_MAX=131071		# Linux: one argument, without its NUL

agent_available() {
	local words
	split_command
	((${#words[@]})) || {
		printf '%s has no command; set one in the settings' "$AGENT"
		return 1
	}
	command -v -- "${words[0]}" >/dev/null || {
		printf '%s: the program %s is not in this sandbox' "$AGENT" "${words[0]}"
		return 1
	}
	if [[ $AGENT_COMMAND == *'{prompt}'* ]] && (($(stat -c %s -- "$TASK_PROMPT_FILE") >= ARGUMENT_MAX)); then
		printf '%s: this prompt is too long for an argument; use {prompt_file} in the command' "$AGENT"
		return 1
	fi
}

agent_run() {
	local words command=() word prompt
	split_command
	# the x keeps the newlines at the end, which $() would cut
	prompt=$(cat -- "$TASK_PROMPT_FILE" && printf x)
	prompt=${prompt%x}
	for word in "${words[@]}"; do
		fill "$word"
		command+=("$filled")
	done
	if [[ $AGENT_COMMAND == *'{prompt}'* || $AGENT_COMMAND == *'{prompt_file}'* ]]; then
		as_agent "${command[@]}"
	fi
	as_agent "${command[@]}" <"$TASK_PROMPT_FILE"
}

split_command() {
	read -rd '' -a words <<<"${AGENT_COMMAND:-}"
	return 0
}

# From left to right, so that what was put in is not searched again: a prompt may well speak of {model}.
fill() {
	local rest=$1 name
	filled=
	while [[ $rest == *'{'* ]]; do
		filled+=${rest%%\{*}
		rest='{'${rest#*\{}
		name=${rest%%\}*}
		case $name in
		'{prompt') filled+=$prompt ;;
		'{prompt_file') filled+=$TASK_PROMPT_FILE ;;
		'{model') filled+=${MODEL:-} ;;
		'{dir') filled+=$TASK_DIR ;;
		*)
			filled+='{'
			rest=${rest#\{}
			continue
			;;
		esac
		rest=${rest#*\}}
	done
	filled+=$rest
}
