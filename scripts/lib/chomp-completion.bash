# shellcheck shell=bash disable=SC2207
# Completion for chomp in bash: verbs, options, and the numbers of tasks that a verb can be about. `make install` puts it where
# bash looks; by hand: . scripts/lib/chomp-completion.bash

# The numbers of the newest tasks of some statuses; nothing, and soon, when chomp is away.
_chomp_ids() {
	CHOMP_RETRY_SECONDS=0 timeout 2 "$1" list -n 200 --json 2>/dev/null |
		jq -r --arg of "$2" '.tasks[] | select($of == "" or (.status as $s | $of | split(" ") | index($s))) | .id' 2>/dev/null
}

_chomp_options() {
	case $1 in
	add) echo '--file --dir --repo --branch --agent --model --router --host --network --priority --budget --on-budget --run --watch --key --json' ;;
	list) echo '--status --query --limit --all --json' ;;
	run) echo '--next --all --agent --model --router --watch --json' ;;
	done) echo '--summary --summary-file --result --result-file --tokens --usage --exit-code --no-stamp --json' ;;
	fail) echo '--exit-code --tokens --usage --json' ;;
	handoff) echo '--summary --summary-file --json' ;;
	update) echo '--tokens --usage --result --summary --json' ;;
	retry) echo '--budget --json' ;;
	log) echo '--limit --json' ;;
	agents) echo '--name --command --models --color --json' ;;
	watch) echo '--url --token-file' ;;
	open) echo '--print --json' ;;
	*) echo '--json' ;;
	esac
}

_chomp() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb='' of='' i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--url | --token-file) ((i++)) ;;
		-*) ;;
		*)
			verb=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	COMPREPLY=()
	case $prev in
	--status) COMPREPLY=($(compgen -W 'queued active done failed' -- "$cur")) && return ;;
	--host) COMPREPLY=($(compgen -W 'local cloudflare' -- "$cur")) && return ;;
	--network) COMPREPLY=($(compgen -W 'none internet host' -- "$cur")) && return ;;
	--on-budget) COMPREPLY=($(compgen -W 'flag stop' -- "$cur")) && return ;;
	--dir) COMPREPLY=($(compgen -d -- "$cur")) && return ;;
	-f | --file | --token-file | --result-file | --summary-file) COMPREPLY=($(compgen -f -- "$cur")) && return ;;
	--agent)
		COMPREPLY=($(compgen -W "$(CHOMP_RETRY_SECONDS=0 timeout 2 "$1" agents --json 2>/dev/null | jq -r 'keys[]' 2>/dev/null)" -- "$cur"))
		return
		;;
	esac
	if [[ ! $verb ]]; then
		COMPREPLY=($(compgen -W 'add list show run watch logs done fail handoff update cancel retry drop log status keys agents open help --url --token-file --json --help --version' -- "$cur"))
		return
	fi
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W "$(_chomp_options "$verb") --help" -- "$cur"))
		return
	fi
	case $verb in
	run) of=queued ;;
	watch | done | fail | handoff | update | cancel) of=active ;;
	retry) of='done failed' ;;
	show | logs | log | drop | open) ;;
	keys) COMPREPLY=($(compgen -W 'set rm' -- "$cur")) && return ;;
	agents) COMPREPLY=($(compgen -W 'add rm' -- "$cur")) && return ;;
	*) return ;;
	esac
	COMPREPLY=($(compgen -W "$(_chomp_ids "$1" "$of")" -- "$cur"))
}

complete -F _chomp chomp
