# shellcheck shell=bash disable=SC2034,SC2154
# The trailer "Agent: name/model" on the last commit of the repository that we are in.  Sourced by cli.sh.
#
# The commit object is written anew with one line more and HEAD set to it: the index and the files are never touched, so what is
# staged stays staged, and author, dates and parents stay what they are.  No hook runs, and nothing of the repository's own
# configuration that could run a program is asked.

git_bare() {
	git -c core.hooksPath=/dev/null -c core.fsmonitor= -c core.commitGraph=false "$@"
}

# stamp NAME/MODEL: quiet where there is nothing to stamp; a note where there is a reason not to.
stamp() {
	local agent=$1 head why new
	command -v git >/dev/null && head=$(git_bare rev-parse -q --verify 'HEAD^{commit}' 2>/dev/null) || return 0
	[[ $agent && $agent != *[[:cntrl:]]* && $agent =~ [^[:space:]] ]] || return 0
	if why=$(stamp_refused "$head"); then
		printf 'chomp: commit %s is left without a trailer: %s\n' "${head:0:10}" "$why" >&2
		return 0
	fi
	! has_agent "$head" || return 0
	new=$(stamped "$head" "$agent" | git_bare hash-object -t commit -w --stdin 2>/dev/null) &&
		git_bare update-ref -m "chomp done: Agent: $agent" HEAD "$new" "$head" 2>/dev/null || {
		printf 'chomp: commit %s could not be given its trailer\n' "${head:0:10}" >&2
		return 0
	}
	wants_json || printf 'commit %s is stamped: Agent: %s\n' "${new:0:10}" "$agent"
}

# Prints why not; false when it may be.
stamp_refused() {
	local dir
	dir=$(git_bare rev-parse --git-dir 2>/dev/null)
	if [[ $(git_bare for-each-ref --count=1 --contains "$1" refs/remotes 2>/dev/null) ]]; then
		echo 'it was already pushed'
	elif [[ $(git_bare for-each-ref --count=1 --contains "$1" refs/tags 2>/dev/null) ]]; then
		echo 'a tag names it'
	elif [[ -e $dir/rebase-merge || -e $dir/rebase-apply || -e $dir/MERGE_HEAD || -e $dir/CHERRY_PICK_HEAD || -e $dir/BISECT_LOG ]]; then
		echo 'a merge, rebase or bisection is going on'
	elif git_bare cat-file commit "$1" | sed '/^$/q' | grep -q '^gpgsig'; then
		echo 'it is signed, and the signature would be lost'
	else
		return 1
	fi
}

commit_message() {
	git_bare cat-file commit "$1" | sed '1,/^$/d'
}

# git's own trailer rules, outside of any repository: one's configuration can name programs to run for a trailer.
trailers() {
	(cd / && env -u GIT_DIR -u GIT_WORK_TREE GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git interpret-trailers --no-divider "$@")
}

has_agent() {
	commit_message "$1" | trailers --only-trailers --only-input | grep -qi '^agent:'
}

stamped() {
	git_bare cat-file commit "$1" | sed '/^$/q'
	commit_message "$1" | trailers --trailer "Agent: $2"
}
