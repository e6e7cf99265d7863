# shellcheck shell=bash disable=SC2034,SC2154
# What an agent made: diff, apply.  Sourced by cli.sh.
#
# The patch was made in the sandbox. Here it is text until its owner says apply; nothing of the agent's repository is ever
# entered, so nothing in it can run.

# Leaves the patch in $scratch/changes.patch.
fetch_work() {
	scratch_file
	out=$scratch/changes.patch
	ask GET "/api/tasks/$1/artifacts/changes.patch" || return
	out=
}

# ---- diff -------------------------------------------------------------------------------------------------------------------

help_diff() {
	cat <<-'END'
		usage: chomp diff [--stat] ID       what a task's agent changed, as a patch that `git am` takes

		On a terminal it is coloured, and control characters of its text are left out; elsewhere it is byte for byte the patch.
		--stat: files and counts only
	END
}

owner_diff() {
	options '|stat!|' "$@"
	ids_wanted diff
	((${#words[@]} == 1)) || die 2 "diff: one task is wanted"
	fetch_work "${words[0]}" || return
	if [[ ${opt[stat]-} ]]; then
		(cd / && git apply --stat -- "$scratch/changes.patch") | plain_text
	elif [[ -t 1 ]]; then
		plain_text <"$scratch/changes.patch" | { if [[ ${NO_COLOR:-} ]]; then cat; else coloured_patch; fi; }
	else
		cat -- "$scratch/changes.patch"
	fi
}

# Without what would command a terminal: C0, DEL, and the C1 controls as UTF-8 writes them.
plain_text() {
	LC_ALL=C tr -d '\000-\010\013-\037\177' | LC_ALL=C sed 's/\xc2[\x80-\x9f]//g'
}

coloured_patch() {
	local e=$'\e'
	LC_ALL=C sed -e "s/^diff --git .*/${e}[1m&${e}[0m/;t" -e "s/^\(+++\|---\) .*/${e}[1m&${e}[0m/;t" -e "s/^@@ .*/${e}[36m&${e}[0m/;t" \
		-e "s/^+.*/${e}[32m&${e}[0m/;t" -e "s/^-.*/${e}[31m&${e}[0m/"
}

# ---- apply ------------------------------------------------------------------------------------------------------------------

help_apply() {
	cat <<-'END'
		usage: chomp apply ID       commit a task's work here: git am --3way in the repository that you are in

		The commit carries the trailer "Agent: name/model". When it does not fit, your repository is left as it was.
	END
}

owner_apply() {
	local root
	options '||' "$@"
	ids_wanted apply
	((${#words[@]} == 1)) || die 2 "apply: one task is wanted"
	command -v git >/dev/null || die 2 "apply: git is not installed"
	root=$(git rev-parse --show-toplevel 2>/dev/null) && [[ $root ]] || die 2 "apply: this is no git work tree; go into your checkout first"
	[[ ! -e $(git rev-parse --git-path rebase-apply) ]] || die 3 "apply: another git am or rebase is going on here; finish it first"
	fetch_work "${words[0]}" || return
	# --keep-cr: mail loses carriage returns, a patch must not
	if git -C "$root" am --3way --keep-cr -q -- "$scratch/changes.patch" >"$scratch/said" 2>&1; then
		git -C "$root" log -1 --format='applied: %h %s' | plain_text
		return
	fi
	git -C "$root" am --abort 2>/dev/null
	plain_text <"$scratch/said" | head -n 20 >&2
	die 3 "apply: it does not fit this branch; nothing has changed. By hand: chomp diff ${words[0]} | git am --3way --keep-cr"
}
