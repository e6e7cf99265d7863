# shellcheck shell=sh disable=SC2086
# Sourced by the generated run and finish scripts of every supervised service (POSIX sh; see lib/ctl-services.sh).
#
# Why it exists: kill -9 of a parent leaves its children behind.  nginx's workers go on holding the port, chomp-worker's
# go on accepting, and the next start meets them.  s6-supervise starts ./run as the leader of a new session, so that
# session's process group is all there is to end; s6 2.11 does not tell ./finish the group, hence ./run notes it in
# data/group: leader, its start time, and the boot.  ./run looks there too, because s6-supervise itself can be killed.
# A chomp-shim has a session of its own and is never hit.

# Print the start time (clock ticks since boot) of process $1.
start_time() {
  read -r stat_line 2>/dev/null <"/proc/$1/stat" || return 1
  # The second field, the command's name, may hold anything: count from its closing bracket.
  set -- ${stat_line##*) }
  echo "${20}"
}

# Is a process of group $1 alive?  A zombie has closed its descriptors and may wait for ever for a lazy init.
group_alive() {
  for stat_file in /proc/[0-9]*/stat; do
    { read -r stat_line <"$stat_file"; } 2>/dev/null || continue
    wanted=$1
    set -- ${stat_line##*) }
    [ "$3" = "$wanted" ] && [ "$1" != Z ] && [ "$1" != X ] && return 0
    set -- "$wanted"
  done
  return 1
}

# End what the last run of this service left behind.  Called in the service's directory.
group_end() {
  [ -s data/group ] || return 0
  read -r group started boot <data/group
  rm -f data/group
  read -r this_boot </proc/sys/kernel/random/boot_id
  [ "$boot" = "$this_boot" ] || return 0
  if [ -d "/proc/$group" ] && [ "$(start_time "$group")" != "$started" ]; then
    return 0 # the number belongs to somebody else by now
  fi
  kill -s KILL -- "-$group" 2>/dev/null || return 0
  tries=0
  while [ "$tries" -lt 100 ] && group_alive "$group"; do
    sleep 0.02
    tries=$((tries + 1))
  done
}

# First thing in ./run.
group_begin() {
  group_end
  read -r this_boot </proc/sys/kernel/random/boot_id
  echo "$$ $(start_time $$) $this_boot" >data/group
}
