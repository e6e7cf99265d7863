# shellcheck shell=bash disable=SC2015,SC2034
# chompctl cloudflare: the sandbox host on Cloudflare (worker-ts/).  Sourced by chompctl.
#
# What setup finds out is kept in $VAR/cloudflare (name, url, callback), the host's secret in $VAR/secrets/cloudflare_secret. From then on
# `chompctl up` takes both, unless CHOMP_SANDBOX_URL says otherwise.

WORKER=$APP/worker-ts
# whose account and network these are is wrangler's to know; tests put another in its place
WRANGLER=${CHOMP_WRANGLER:-$WORKER/node_modules/.bin/wrangler}

command_cloudflare() {
  local verb=${1:-}
  [ $# -eq 0 ] || shift
  case $verb in
    setup | check | remove) [ $# -eq 0 ] || die "cloudflare $verb takes no arguments" ;;
    *) die 'cloudflare setup | check | remove (chompctl cloudflare --help)' ;;
  esac
  cloudflare_instance
  cloudflare_read
  "cloudflare_$verb"
}

# The instance need not run, but what we write has to be its own.
cloudflare_instance() {
  settings_saved
  ! supervised || settings_keep
  [ -d "$VAR/secrets" ] || die "there is no instance in $VAR yet; start it once: $SELF up"
}

declare -A CLOUD=()
cloudflare_read() {
  local name value
  CLOUD=() CLOUD_FILE=$VAR/cloudflare CLOUD_SECRET=$VAR/secrets/cloudflare_secret
  [ -r "$CLOUD_FILE" ] || return 0
  while IFS='=' read -r name value; do
    CLOUD[$name]=$value
  done <"$CLOUD_FILE"
}

cloudflare_keep() {
  local name
  for name in name url callback; do
    printf '%s=%s\n' "$name" "${CLOUD[$name]:-}"
  done >"$CLOUD_FILE.new" && mv -f -- "$CLOUD_FILE.new" "$CLOUD_FILE" || die "cannot write $CLOUD_FILE"
}

# ask NAME QUESTION PATTERN WHAT: the answer into CLOUD[NAME]; what is known is offered.
cloudflare_ask() {
  local answer
  while :; do
    printf '%s%s: ' "$2" "${CLOUD[$1]:+ [${CLOUD[$1]}]}"
    IFS= read -r answer || die 'broken off: nothing was changed'
    answer=${answer:-${CLOUD[$1]:-}}
    [[ ! $answer =~ $3 ]] || break
    say "  $4 is wanted"
  done
  CLOUD[$1]=$answer
}

# ---- setup ---------------------------------------------------------------------------------------------------------

cloudflare_setup() {
  cloudflare_tools
  say "The sandbox host on Cloudflare: a Worker with containers, in your account (docs/CLOUDFLARE.md: cost, limits, teardown)."
  CLOUD[name]=${CLOUD[name]:-chomp-sandbox}
  cloudflare_ask name 'Name of the Worker' '^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$' 'small letters, digits and dashes'
  CLOUD[callback]=${CLOUD[callback]:-${CHOMP_PUBLIC_CALLBACK_URL:-}}
  cloudflare_ask callback 'Address under which its sandboxes reach this chomp' '^https?://[^[:space:]/]+(/[^[:space:]]*)?$' 'https://chomp.example.org'
  cloudflare_login
  cloudflare_secret
  cloudflare_deploy
  cloudflare_keep
  cloudflare_check
  say "Done. Take it into use:  $SELF $(supervised && echo restart || echo up)"
  say "Tasks go there from then on; one with host=local stays on this machine."
}

cloudflare_tools() {
  [ -d "$WORKER" ] || die "worker-ts/ is not installed here; run setup from a clone of chomp"
  local name missing=()
  for name in node npm docker; do
    command -v "$name" >/dev/null || missing+=("$name")
  done
  [ "${#missing[@]}" -eq 0 ] || die "setup needs ${missing[*]} on this machine: wrangler runs in Node (20 or newer), and the image is built with docker.
  You can run setup on another machine and copy $CLOUD_FILE and $CLOUD_SECRET here."
  docker info >/dev/null 2>&1 || die 'docker is installed, but its engine does not answer: wrangler builds the image with it'
  [ -x "$WRANGLER" ] || {
    say "npm ci in worker-ts/ (300 MB)"
    (cd -- "$WORKER" && npm ci --no-audit --no-fund --loglevel=error) || die 'npm ci failed in worker-ts'
  }
}

# Without telemetry, in its own directory.
wrangler() {
  (cd -- "$WORKER" && WRANGLER_SEND_METRICS=false exec "$WRANGLER" "$@")
}

cloudflare_login() {
  if wrangler whoami 2>&1 | grep -q 'not authenticated'; then
    [ -z "${CLOUDFLARE_API_TOKEN:-}" ] || die 'Cloudflare does not take CLOUDFLARE_API_TOKEN'
    say 'Log in to Cloudflare (a browser opens; without one, set CLOUDFLARE_API_TOKEN and start again):'
    wrangler login || die 'not logged in'
  fi
}

# Made once: deployed again, the Worker's secret is the same.
cloudflare_secret() {
  [ -s "$CLOUD_SECRET" ] && return
  (cd -- "$VAR/secrets" && as chomp sh -c '
    umask 077
    head -c 32 /dev/urandom | base64 -w 0 | tr "+/" "-_" | tr -d "=" >.cloudflare.new && mv -f .cloudflare.new cloudflare_secret') ||
    die "cannot write $CLOUD_SECRET"
}

cloudflare_deploy() {
  local said
  "$WORKER/container/stage" "$WORKER/build/image" || die 'the image could not be staged'
  say 'wrangler deploy: builds and uploads the image; the first time takes minutes'
  said=$(mktemp) || die 'no temporary file'
  wrangler deploy --name "${CLOUD[name]}" 2>&1 | tee "$said"
  [ "${PIPESTATUS[0]}" -eq 0 ] || { rm -f -- "$said" && die 'wrangler deploy failed; its message is above'; }
  CLOUD[url]=$(grep -oE 'https://[A-Za-z0-9.-]+\.workers\.dev' "$said" | head -n 1)
  rm -f -- "$said"
  [ -n "${CLOUD[url]}" ] || cloudflare_ask url 'Address of the Worker (wrangler did not say it)' '^https://[^[:space:]/]+$|^http://127\.[0-9.]+:[0-9]+$' 'https://NAME.ACCOUNT.workers.dev'
  # by stdin: an argument could be read by every process
  wrangler secret put CHOMP_SECRET --name "${CLOUD[name]}" <"$CLOUD_SECRET" || die 'the secret could not be set'
}

# ---- check ---------------------------------------------------------------------------------------------------------

cloudflare_check() {
  [ -n "${CLOUD[url]:-}" ] || die "there is no Cloudflare host yet: $SELF cloudflare setup"
  cloudflare_health
  cloudflare_trial
}

cloudflare_health() {
  local tries
  # a new Worker's name takes a while to be known everywhere
  for ((tries = 30; tries > 0; tries--)); do
    [[ $(curl -sS -m 10 "${CLOUD[url]}/health" 2>&1) == *'"ok"'* ]] && say "ok    ${CLOUD[url]}/health" && return
    sleep "${CHOMP_CLOUDFLARE_PAUSE:-2}"
  done
  die "${CLOUD[url]}/health does not answer: $SELF cloudflare check tries again"
}

# host_call METHOD PATH [BODY]: the answer's body, a line break, the status.
host_call() {
  curl -sS -m 60 -X "$1" -H @<(printf 'Authorization: Bearer %s\n' "$(<"$CLOUD_SECRET")") -w '\n%{http_code}' \
    ${3:+-H 'Content-Type: application/json' --data-binary "$3"} "${CLOUD[url]}$2" 2>&1
}

# One box with a script in it: it has to start, to reach us, to tell its exit code, and to be gone.
cloudflare_trial() {
  local said box back code
  said=$(host_call POST /dispatch "$(trial_dispatch)")
  [[ ${said##*$'\n'} == 200 ]] || die "the trial dispatch was refused: $said"
  box=$(jq -r .sandboxId <<<"${said%$'\n'*}")
  back=$(trial_wait "$box" trial_back)
  # an agent that cannot call back tries for a minute: not waited for
  [ "$back" != 401 ] || code=$(trial_wait "$box" trial_code)
  host_call POST "/kill/$box" >/dev/null
  [ -n "$back" ] || die "the trial box said nothing; its Worker's log says more: (cd worker-ts && npx wrangler tail ${CLOUD[name]})"
  [ "$back" = 401 ] || die "a box does not reach chomp at ${CLOUD[callback]}: 401 is wanted for a call without a token, $back came.
  The proxy or tunnel there has to pass POST /api/tasks/ on to this machine, and chomp has to run (docs/CLOUDFLARE.md)"
  say "ok    a box reaches us at ${CLOUD[callback]}"
  # the script said 7, and run-agent passes it on
  [ "${code:-}" = 7 ] || die "the trial box did not end with the exit code of its script (7, and ${code:-none} came)"
  say 'ok    a trial box ran, told its exit code, and was ended'
}

# shellcheck disable=SC2016 # the box expands it
trial_dispatch() {
  jq -cn --arg id "$(head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \n')" --arg url "${CLOUD[callback]}" '{dispatchId: $id, taskId: "0",
    sessionId: "s0", agent: "shell", model: "bash", timeoutSeconds: 300, callback: {url: $url, token: "trial"}, prompt:
    "echo way back: $(curl -s -m 20 -o /dev/null -w %{http_code} -X POST -H \"Content-Type: application/json\" -d \"{}\" \"$CHOMP_API/api/tasks/update\"); exit 7"}'
}

# What the box says, as soon as it does.
trial_wait() { # box function
  local tries word
  for ((tries = 60; tries > 0; tries--)); do
    word=$("$2" "$1")
    [ -z "$word" ] || break
    sleep "${CHOMP_CLOUDFLARE_PAUSE:-2}"
  done
  echo "$word"
}
trial_back() { host_call GET "/logs/$1" | sed -n 's/.*way back: \([0-9][0-9]*\).*/\1/p' | head -n 1; }
trial_code() { host_call GET "/status/$1" | head -n 1 | jq -r '.exitCode // empty' 2>/dev/null; }

# ---- remove --------------------------------------------------------------------------------------------------------

cloudflare_remove() {
  [ -n "${CLOUD[name]:-}" ] || die 'there is no Cloudflare host that setup has made'
  [ -x "$WRANGLER" ] || die "worker-ts/node_modules is missing: (cd '$WORKER' && npm ci)"
  say "This ends every sandbox of ${CLOUD[name]} and deletes the Worker. The image stays until: wrangler containers images delete"
  wrangler delete --name "${CLOUD[name]}" || die 'wrangler delete failed; its message is above'
  rm -f -- "$CLOUD_FILE" "$CLOUD_SECRET"
  say "Done. If chomp runs: $SELF restart"
}
