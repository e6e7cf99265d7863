# shellcheck shell=bash disable=SC2034,SC2015
# Messages, and what the environment says about this instance.  Sourced by chompctl.

say() { printf '%s\n' "$*"; }
warn() { printf 'chompctl: %s\n' "$*" >&2; }
die() {
  warn "$@"
  exit 1
}

# Milliseconds since the epoch, and a pause without a process: reading from a pipe that nobody writes to.
now_ms() { NOW_MS=$((${EPOCHREALTIME/./} / 1000)); }
nap() {
  [ -n "${NAP_FD:-}" ] || exec {NAP_FD}<> <(:)
  read -rt "${1:-0.02}" -u "$NAP_FD" || :
}

# alive PID: runs, and is not a zombie.
alive() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  stat=${stat##*) }
  [[ $stat != [ZX]* ]]
}

# Quote the words for /bin/sh, into QUOTED: a subshell for each of the many would be felt at every start.
sh_quote() {
  local word
  QUOTED=''
  for word in "$@"; do
    QUOTED+=" '${word//\'/\'\\\'\'}'"
  done
  QUOTED=${QUOTED# }
}

PROGRAMS=(chomp-worker chomp-relay chomp-dispatch chomp-sandbox chomp-shim chomp-store)

SETTINGS=(CHOMP_PORT CHOMP_BIND CHOMP_WORKERS CHOMP_BOX_LIMITS CHOMP_SANDBOX_URL CHOMP_SANDBOX_SECRET_FILE CHOMP_PUBLIC_CALLBACK_URL CHOMP_PUBLIC_ORIGINS CHOMP_AGENTS CHOMP_LOG
  CHOMP_TLS_CERT CHOMP_TLS_KEY CHOMP_HTTP_PORT CHOMP_OPENROUTER_URL CHOMP_CLOUDFLARE_URL CHOMP_ZEN_URL CHOMP_SHELLEY_URL)

# Where the instance lives.  VAR is canonical, so that two spellings of one directory are one instance.
settings_place() {
  local asked=${CHOMP_VAR:-}
  AS_ROOT=0
  [ "$EUID" -ne 0 ] || AS_ROOT=1
  # In a clone everything is in the clone; what `make install` has laid out keeps state where the system keeps it.
  BIN=$APP/build/release/bin HTDOCS=$APP/build/htdocs
  if [ -x "$APP/bin/chomp-worker" ]; then
    BIN=$APP/bin HTDOCS=$APP/htdocs
    [ -n "$asked" ] || { [ "$AS_ROOT" -eq 1 ] && asked=/var/lib/chomp/main; } ||
      asked=${XDG_DATA_HOME:-${HOME:?CHOMP_VAR or HOME has to be set}/.local/share}/chomp
  fi
  BIN=${CHOMP_BIN:-$BIN}
  asked=${asked:-$APP/var}
  [[ $asked != *$'\n'* ]] || die 'CHOMP_VAR must not hold a line break'
  VAR=$(readlink -m -- "$asked") || die "CHOMP_VAR: cannot make sense of $asked"
  [ "$VAR" != / ] || die 'CHOMP_VAR must not be /'
  RUN=$VAR/run
  S6=$RUN/s6
  CONFIG=$RUN/config
}

# What the running (or last) instance was started with: CONFIG_OF[name].
declare -A CONFIG_OF=()
settings_saved() {
  local name value
  CONFIG_OF=()
  [ -r "$CONFIG" ] || return 0
  while IFS='=' read -r name value; do
    CONFIG_OF[$name]=$value
  done <"$CONFIG"
}

# Nothing of the environment counts: a program that goes on has the settings it was started with.
settings_forget() {
  unset "${SETTINGS[@]}"
}

# Settings that the environment does not name are taken from the last start: `restart` in another shell keeps the port.
settings_keep() {
  local name
  for name in "${SETTINGS[@]}"; do
    [ -n "${!name+set}" ] || [ -z "${CONFIG_OF[$name]:-}" ] || printf -v "$name" '%s' "${CONFIG_OF[$name]}"
  done
}

number_in() { # name value low high
  [[ $2 =~ ^[0-9]{1,9}$ ]] && ((10#$2 >= $3 && 10#$2 <= $4)) || die "$1 is '$2': a number from $3 to $4 is wanted"
}

settings_read() {
  PORT=${CHOMP_PORT:-8000} ADDRESS=${CHOMP_BIND:-127.0.0.1} WORKERS=${CHOMP_WORKERS:-8}
  number_in CHOMP_PORT "$PORT" 1 65535
  number_in CHOMP_WORKERS "$WORKERS" 1 256
  PORT=$((10#$PORT)) WORKERS=$((10#$WORKERS))
  ADDRESS=${ADDRESS#[} ADDRESS=${ADDRESS%]}
  [[ $ADDRESS != localhost ]] || ADDRESS=127.0.0.1
  [[ $ADDRESS =~ ^[0-9]{1,3}(\.[0-9]{1,3}){3}$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$ ]] ||
    die "CHOMP_BIND is '$ADDRESS': an IP address is wanted, such as 127.0.0.1, 0.0.0.0 or ::1"
  settings_tls
  settings_origins
  settings_sandbox
  AGENTS=${CHOMP_AGENTS:+$(readlink -m -- "$CHOMP_AGENTS")}
  # Absolute from here on: they are kept for a restart from another directory.
  [ -z "$AGENTS" ] || CHOMP_AGENTS=$AGENTS
  AGENTS=${AGENTS:-$VAR/agents}
}

# A certificate of the operator's: nginx speaks TLS on CHOMP_PORT, and on CHOMP_HTTP_PORT sends browsers there.
settings_tls() {
  local name file
  SCHEME=http
  if [ -z "${CHOMP_TLS_CERT:-}${CHOMP_TLS_KEY:-}" ]; then
    [ -z "${CHOMP_HTTP_PORT:-}" ] || die 'CHOMP_HTTP_PORT leads from http to https: CHOMP_TLS_CERT and CHOMP_TLS_KEY have to be set'
    return 0
  fi
  SCHEME=https
  for name in CHOMP_TLS_CERT CHOMP_TLS_KEY; do
    file=${!name:-}
    [ -n "$file" ] || die "$name is missing: TLS takes both, CHOMP_TLS_CERT (with its chain) and CHOMP_TLS_KEY"
    [ -f "$file" ] && [ -r "$file" ] || die "$name: cannot read $file"
    [[ $file != *[\"\'\\\$\;\{\}]* && $file != *[[:cntrl:]]* ]] || die "$name: a path without quotes, \$, ; and braces is wanted"
    # Absolute, for a restart from another directory; the last link is kept, since certbot renews by changing it.
    [[ $file == /* ]] || printf -v "$name" '%s' "$PWD/$file"
  done
  [ -z "${CHOMP_HTTP_PORT:-}" ] || number_in CHOMP_HTTP_PORT "$CHOMP_HTTP_PORT" 1 65535
  [ "${CHOMP_HTTP_PORT:-}" != "$PORT" ] || die "CHOMP_HTTP_PORT and CHOMP_PORT are both $PORT"
}

# PUBLIC_ORIGINS: what browsers may call us, the loopback names always among them where we listen there.  DIAL is where
# this script itself finds nginx.
settings_origins() {
  local host=$ADDRESS origin own=''
  [[ $host != *:* ]] || host="[$host]"
  LISTEN=$host:$PORT
  DIAL=$ADDRESS
  case $ADDRESS in
    127.* | ::1) own="$SCHEME://$host:$PORT $SCHEME://localhost:$PORT" ;;
    0.0.0.0) own="$SCHEME://127.0.0.1:$PORT $SCHEME://localhost:$PORT" DIAL=127.0.0.1 ;;
    ::) own="$SCHEME://[::1]:$PORT $SCHEME://localhost:$PORT" DIAL=::1 ;;
  esac
  ORIGINS=()
  if [ -z "${CHOMP_PUBLIC_ORIGINS:-}" ] && [[ $ADDRESS != 127.* && $ADDRESS != ::1 ]]; then
    die "CHOMP_BIND=$ADDRESS opens chomp to the network. Say under which address it is reached, best https:// through a
  TLS proxy in front of it: CHOMP_PUBLIC_ORIGINS='https://chomp.example.org'. Without TLS the login can be overheard."
  fi
  for origin in ${CHOMP_PUBLIC_ORIGINS:-} $own; do
    [[ $origin =~ ^https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$ ]] ||
      die "CHOMP_PUBLIC_ORIGINS: '$origin' is not an origin such as https://chomp.example.org or http://192.168.1.5:8000"
    # Browsers leave out the port that belongs to the scheme.
    [[ $origin != https:* ]] && origin=${origin%:80} || origin=${origin%:443}
    [[ " ${ORIGINS[*]-} " == *" $origin "* ]] || ORIGINS+=("$origin")
  done
  PUBLIC_ORIGINS=${ORIGINS[*]}
  ORIGIN=${ORIGINS[0]}
  [[ $SCHEME == http || $ORIGIN == https:* ]] ||
    die "CHOMP_PUBLIC_ORIGINS begins with $ORIGIN, but with CHOMP_TLS_CERT set chomp is reached by https"
}

# The sandbox hosts.  Ours is started and supervised here, unless CHOMP_SANDBOX_URL is another socket in its place.  An http(s) address
# is a host beside it (AWAY), the usual one of tasks that name none; its boxes call back over the network.
settings_sandbox() {
  SANDBOX_URL=${CHOMP_SANDBOX_URL:-} SANDBOX_SECRET=${CHOMP_SANDBOX_SECRET_FILE:-} SANDBOX_LOCAL=1 SANDBOX_AWAY=0
  CALLBACK_URL=$SCHEME://$LISTEN
  case $ADDRESS in
    0.0.0.0) CALLBACK_URL=$SCHEME://127.0.0.1:$PORT ;;
    ::) CALLBACK_URL="$SCHEME://[::1]:$PORT" ;;
  esac
  PUBLIC_CALLBACK_URL=${CHOMP_PUBLIC_CALLBACK_URL:-}
  [ -z "$SANDBOX_SECRET" ] || SANDBOX_SECRET=$(readlink -m -- "$SANDBOX_SECRET")
  [ -z "$SANDBOX_SECRET" ] || CHOMP_SANDBOX_SECRET_FILE=$SANDBOX_SECRET
  [ -n "$SANDBOX_URL" ] || settings_cloudflare
  case $SANDBOX_URL in
    '' | "unix:$RUN/sandbox/sandbox.sock") ;;
    unix:*) SANDBOX_LOCAL=0 ;;
    *) SANDBOX_AWAY=1 ;;
  esac
  [ "$SANDBOX_LOCAL" -eq 0 ] || [ "$SANDBOX_AWAY" -eq 1 ] || return 0
  [[ $SANDBOX_URL =~ ^unix:/[^[:cntrl:]]+$|^https?://[^[:space:][:cntrl:]]+$ ]] ||
    die "CHOMP_SANDBOX_URL is '$SANDBOX_URL': unix:/path/to.sock, http://127.0.0.1:PORT or https://… is wanted"
  [ -z "$SANDBOX_SECRET" ] || [ -r "$SANDBOX_SECRET" ] || die "CHOMP_SANDBOX_SECRET_FILE: cannot read $SANDBOX_SECRET"
  [ -n "$SANDBOX_SECRET" ] || [[ $SANDBOX_URL =~ ^unix:|^http://(127\.|localhost[:/]|localhost$|\[::1\]) ]] ||
    die "CHOMP_SANDBOX_URL is not on this host: CHOMP_SANDBOX_SECRET_FILE has to name the file with its secret"
  [[ $PUBLIC_CALLBACK_URL =~ ^(https?://[^[:space:][:cntrl:]]+)?$ ]] ||
    die "CHOMP_PUBLIC_CALLBACK_URL is '$PUBLIC_CALLBACK_URL': an address such as https://chomp.example.org is wanted"
  # Without a word of the owner's, the first address that he says we are reached at.
  [ -n "$PUBLIC_CALLBACK_URL" ] || [ -z "${CHOMP_PUBLIC_ORIGINS:-}" ] || [[ $SANDBOX_URL != https:* ]] || PUBLIC_CALLBACK_URL=$ORIGIN
  PUBLIC_CALLBACK_URL=${PUBLIC_CALLBACK_URL:-$CALLBACK_URL}
}

# What `chompctl cloudflare setup` has made.  Not saved with the rest: `remove` takes it back.
settings_cloudflare() {
  cloudflare_read
  [ -n "${CLOUD[url]:-}" ] || return 0
  SANDBOX_URL=${CLOUD[url]} SANDBOX_SECRET=$VAR/secrets/cloudflare_secret
  PUBLIC_CALLBACK_URL=${PUBLIC_CALLBACK_URL:-${CLOUD[callback]}}
}

settings_save() {
  local name
  {
    for name in "${SETTINGS[@]}"; do
      [ -z "${!name:-}" ] || printf '%s=%s\n' "$name" "${!name//$'\n'/ }"
    done
    printf '%s=%s\n' origin "$ORIGIN" origins "$PUBLIC_ORIGINS" listen "$LISTEN" dial "$DIAL" port "$PORT" scheme "$SCHEME" \
      users "$([ "$AS_ROOT" -eq 1 ] && echo separate || echo "$(id -un)")" sandbox "${SANDBOX_URL:-local}" \
      in_var "$IN_VAR" in_app "$IN_APP" services "${SERVICES[*]}"
  } >"$CONFIG.new" && mv -f "$CONFIG.new" "$CONFIG" || die "cannot write $CONFIG"
}
