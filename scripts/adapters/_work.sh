# git for run-agent: the clone before the agent, and afterwards its work as a commit, a patch and, where that is allowed, a
# pushed branch. Sourced by run-agent; no agent's id begins with "_", so this is no adapter.
#
# Shares run-agent's variables: workspace repo base repo_url repo_token first_prompt tree, and child, stopped_by, code.
# shellcheck shell=bash disable=SC2154,SC2015,SC2034

readonly task_ref=refs/heads/chomp/task-${TASK_ID:-0}

# ---- git, without anybody's configuration -----------------------------------------------------------------------------------

# Protected configuration is ours alone. safe.directory: a bound source belongs to another user; reading its objects runs
# nothing of it, because git takes hooks for upload-pack only from protected configuration.
write_git_config() {
	cat >"$CHOMP_STATE/gitconfig" <<-'END'
		[safe]
			directory = *
		[core]
			hooksPath = /dev/null
			fsmonitor = false
			attributesFile = /dev/null
			excludesFile = /dev/null
		[init]
			templateDir =
		[submodule]
			recurse = false
		[gc]
			auto = 0
		[advice]
			detachedHead = false
		[http]
			lowSpeedLimit = 100
			lowSpeedTime = 120
	END
}

our_git() (
	unset "${!GIT_@}"
	((${#repo_login[@]} == 0)) || export REPO_USER=$repo_user REPO_TOKEN=$repo_token
	[[ -z ${USE_INDEX:-} ]] || export GIT_INDEX_FILE=$USE_INDEX
	export GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 GIT_CONFIG_GLOBAL=$CHOMP_STATE/gitconfig
	export GIT_TERMINAL_PROMPT=0 GIT_ASKPASS=true SSH_ASKPASS=true GIT_SSH_COMMAND='ssh -oBatchMode=yes'
	export GIT_ALLOW_PROTOCOL=https:http:ssh:git:file
	exec env --default-signal=INT,QUIT,TERM,HUP git "${repo_login[@]}" "$@"
)

# The login for the repository, from its address or GITHUB_TOKEN (for github.com and nobody else): out of the address, because
# arguments can be read by everybody, into the environment of git alone, which asks for it where it belongs.
use_login() {
	local place login
	repo_login=()
	if [[ $repo_url =~ ^(https?://)([^/@]+)@(.+)$ ]]; then
		login=${BASH_REMATCH[2]}
		repo_url=${BASH_REMATCH[1]}${BASH_REMATCH[3]}
		repo_user=$(unescaped "${login%%:*}") repo_token=$(unescaped "${login#"${login%%:*}"}")
		repo_token=${repo_token#:}
	elif [[ $repo_token && $repo_url == https://github.com/* ]]; then
		repo_user=x-access-token
	else
		repo_token=
		return
	fi
	place=$(grep -oE '^https?://[^/]+' <<<"$repo_url")
	# shellcheck disable=SC2016 # git's shell fills it in
	repo_login=(-c 'credential.helper=' -c "credential.$place.helper=!f() { echo \"username=\$REPO_USER\"; echo \"password=\$REPO_TOKEN\"; }; f")
}

unescaped() {
	local text=${1//\\/%5C}
	printf '%b' "${text//%/\\x}"
}

# Words that become arguments of git: no option, no control byte.
plain_word() {
	local LC_ALL=C
	[[ $1 != -* && $1 != *[[:cntrl:]]* ]]
}

repo_address() {
	case $1 in
	https://?* | http://?* | ssh://?* | git://?* | file:///?*) return 0 ;;
	*::*) return 1 ;;			# a remote helper: "ext::sh -c …"
	?*@?*:?*) return 0 ;;			# git@host:path
	*) return 1 ;;
	esac
}

without_login() {
	sed -E 's#(://)[^/@[:space:]]*@#\1#g'
}

# Sets repo, base and TASK_DIR. Without a repository the workspace itself is the agent's directory.
clone_repo() {
	local url=$repo_url branch=()
	repo=
	export TASK_DIR=$workspace
	if [[ -z $url && -n ${TASK_SOURCE:-} ]]; then
		# file:// and not a path: objects are copied through upload-pack, never hard-linked or borrowed from the host
		url=file://$TASK_SOURCE
	fi
	[[ $url ]] || return 0
	plain_word "$url" && repo_address "$url" || give_up 128 "repo_url: an https, http, ssh, git or file address is wanted"
	if [[ ${TASK_BRANCH:-} ]]; then
		plain_word "$TASK_BRANCH" || give_up 128 "branch: may not begin with - or hold control characters"
		branch=(--branch "$TASK_BRANCH")
	fi
	say "cloning $(without_login <<<"$url")${TASK_BRANCH:+ ($TASK_BRANCH)}"
	repo=$workspace/repo
	supervise fetch_repo "$url" "${branch[@]}" &
	child=$!
	wait_for_child
	[[ -z $stopped_by ]] || give_up "$code" "$(reason_of_code), while cloning"
	((code == 0)) || give_up "$code" "git clone: $(git_said "$CHOMP_STATE/clone.log")"
	# a login in the address stays with us: the clone is the agent's to read
	our_git -C "$repo" remote set-url origin "$(without_login <<<"$url")"
	remember_base
	earlier_work
	enter_subdir
}

fetch_repo() {
	local url=$1
	shift
	our_git clone --progress --no-recurse-submodules --template= "$@" -- "$url" "$repo" 2>&1 </dev/null |
		tee "$CHOMP_STATE/clone.log"
	return "${PIPESTATUS[0]}"
}

# Git's own last words: the fatal and error lines, without the progress.
git_said() {
	local said
	said=$(tr '\r' '\n' <"$1" | without_login | grep -E '^(fatal|error|warning|remote|ssh):' | tail -n 5 | cut -c -500)
	printf '%s' "${said:-no message; its exit code says it}"
}

# The commit the agent starts from; of a repository without commits, the empty tree.
remember_base() {
	base=$(our_git -C "$repo" rev-parse --verify -q HEAD) || base=$(our_git -C "$repo" hash-object -t tree -w /dev/null)
	# keeps the base readable whatever the agent does to its branches
	our_git -C "$repo" update-ref refs/chomp/base "$base" 2>/dev/null
	printf '%s\n%s\n%s\n' "$repo" "$base" "$(our_git -C "$repo" rev-parse --show-object-format)" >"$CHOMP_STATE/repo"
}

# TASK_SUBDIR must stay inside the clone, also through symbolic links that the repository brings along.
enter_subdir() {
	local sub=${TASK_SUBDIR:-} real root
	TASK_DIR=$repo
	[[ $sub && $sub != . ]] || return 0
	[[ /$sub/ != */../* && $sub != /* ]] || give_up 1 "dir: $sub: a path inside the repository is wanted"
	root=$(realpath -e -- "$repo")
	real=$(realpath -e -- "$repo/$sub" 2>/dev/null) && [[ -d $real ]] || give_up 1 "dir: the repository has no directory $sub"
	[[ $real/ == "$root"/* ]] || give_up 1 "dir: $sub leads out of the repository"
	TASK_DIR=$real
}

# ---- the work comes back ----------------------------------------------------------------------------------------------------

# Everything that differs from the base, committed or not, as $CHOMP_STATE/changes.patch. The agent owns its .git (drivers,
# filters, fsmonitor, info/exclude), so git runs in a directory of ours that only borrows its objects.
make_patch() {
	local git_dir=$CHOMP_STATE/collect.git format patch=$CHOMP_STATE/changes.patch
	{ read -r repo; read -r base; read -r format; } <"$CHOMP_STATE/repo" || return 0
	rm -rf -- "$git_dir" "$patch"
	our_git init -q --bare --template= --object-format="$format" "$git_dir" || return
	mkdir -p "$git_dir/objects/info"
	printf '%s\n' "$repo/.git/objects" >"$git_dir/objects/info/alternates"
	work_git read-tree "$base" || return
	# what an adapter hid comes back, beside what the agent may have put there
	[[ ! -s $CHOMP_STATE/hidden ]] || work_git checkout-index -q -z --stdin <"$CHOMP_STATE/hidden" 2>/dev/null
	leave_out >"$CHOMP_STATE/left-out"
	work_git add -A --ignore-errors --pathspec-from-file="$CHOMP_STATE/left-out" --pathspec-file-nul || return
	tree=$(work_git write-tree) || return
	[[ $tree != "$(work_git rev-parse --verify -q "$base^{tree}")" ]] || {
		: >"$patch"
		return 0
	}
	commit_work || return
	work_git format-patch --root -1 --stdout --binary --full-index --no-signature --no-ext-diff --no-textconv --no-color \
		"$task_ref" | head -c $((PATCH_MAX + 1)) >"$patch"
	case "${PIPESTATUS[*]}" in
	'0 0' | '141 0') return 0 ;;
	*) return 1 ;;
	esac
}

# One commit on top of the base, whatever the agent committed: its author is the agent, its message ours.
commit_work() {
	local commit parent=(-p "$base")
	work_git cat-file -e "$base^{commit}" 2>/dev/null || parent=()
	commit=$(commit_message | work_git -c user.name="$AGENT" -c user.email="$AGENT@chomp.invalid" \
		-c commit.gpgSign=false -c i18n.commitEncoding=UTF-8 commit-tree "$tree" "${parent[@]}") &&
		work_git update-ref "$task_ref" "$commit"
}

# The first line of the prompt names the work. The trailer says who did it.
commit_message() {
	local subject
	subject=$(head -c 2000 -- "$first_prompt" | tr -c '[:print:]\n\200-\377' ' ' | grep -m 1 '[^ ]' | iconv -c -f UTF-8 -t UTF-8 | cut -c -72)
	printf 'task %s: %s\n\nTask: %s\nAgent: %s/%s\n' "$TASK_ID" "${subject:-work}" "$TASK_ID" "$AGENT" "${MODEL:-default}"
}

# Where the repository may be written to with what we were given, the branch goes there. That it may not is no failure: the
# work is with the task.
push_work() {
	local patch=$CHOMP_STATE/changes.patch
	[[ -s $patch && -s $CHOMP_STATE/repo ]] || return 0
	((${#repo_login[@]})) || return 0
	end_leftovers			# nobody of the agent's looks on
	if work_git push -q --force -- "$repo_url" "$task_ref:$task_ref" >"$CHOMP_STATE/push.log" 2>&1 </dev/null; then
		say "pushed ${task_ref#refs/heads/}"
	else
		say "not pushed: $(git_said "$CHOMP_STATE/push.log")"
	fi
}

# What the session before left, when it handed over or was sent back: its patch, on top of the base. It stays part of the
# difference to the base, so the task's patch is always the whole work.
earlier_work() {
	local patch=$CHOMP_STATE/earlier.patch
	[[ -s ${CHOMP_HISTORY_FILE:-} ]] || return 0
	jq -e 'length > 0 and (last.result == "handoff" or last.result == "done")' "$CHOMP_HISTORY_FILE" >/dev/null 2>&1 || return 0
	callback fetch changes.patch "$patch" 2>/dev/null || return 0
	if our_git -C "$repo" apply --3way --index --binary --whitespace=nowarn "$patch" 2>"$CHOMP_STATE/earlier.log"; then
		our_git -C "$repo" reset -q
		say "the work of the session before is here"
	else
		our_git -C "$repo" reset -q --hard "$base" 2>/dev/null
		say "the work of the session before does not fit this repository any more: $(git_said "$CHOMP_STATE/earlier.log")"
	fi
}

work_git() {
	our_git --git-dir="$CHOMP_STATE/collect.git" --work-tree="$repo" -C "$repo" "$@"
}

# Pathspecs for `git add`: all but repositories inside the repository. Their commits mean nothing outside the box, and to look
# at them git would start a git with *their* configuration.
leave_out() {
	local path
	printf '.\0'
	while IFS= read -rd '' path; do
		[[ ! -e $repo/$path/.git ]] || say "not in changes.patch: $path is a repository of its own" >&2
		printf ':(top,exclude,literal)%s\0' "$path"
	done < <(
		work_git ls-files -s -z | grep -z '^160000 ' | cut -z -f 2-
		work_git ls-files -o -z --exclude-standard | grep -z '/$' | sed -z 's#/$##'
	)
}

# Makes and uploads the patch. Leaves the tree's hash in `tree`. Leaves the reason in `lost` when the work could not be saved. An empty difference uploads nothing.
collect() {
	local patch=$CHOMP_STATE/changes.patch size
	lost=''
	[[ -s $CHOMP_STATE/repo ]] || return 0
	if ! make_patch 2>"$CHOMP_STATE/collect.log"; then
		lost="changes.patch could not be made: $(git_said "$CHOMP_STATE/collect.log")"
		return 1
	fi
	cat "$CHOMP_STATE/collect.log" >&2
	size=$(stat -c %s "$patch")
	if ((size > PATCH_MAX)); then
		lost="changes.patch is larger than $((PATCH_MAX >> 20)) MiB: has build output no .gitignore?"
		return 1
	fi
	((size > 0)) || return 0
	if ! callback artifact "$patch" changes.patch >/dev/null; then
		lost='changes.patch could not be uploaded'
		return 1
	fi
	say "changes.patch: $size bytes" >&2
}
