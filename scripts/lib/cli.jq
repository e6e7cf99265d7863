# How scripts/chomp shows things.  $width: columns of the terminal, 0 for a pipe; $colour: true or false.
#
# Texts of tasks are hostile: nothing of them reaches a terminal as a control sequence, and nothing turns the line around.

def is_control: . < 32 or . == 127 or (. >= 128 and . < 160);
def turns_text: (. >= 8234 and . <= 8238) or (. >= 8294 and . <= 8297) or . == 8206 or . == 8207 or . == 1564;

# One line; several lines.
def line: tostring | explode | map(if . == 10 or . == 9 or . == 13 then 32 elif is_control or turns_text then 65533 else . end) | implode;
def text: tostring | explode | map(if . == 10 or . == 9 then . elif is_control or turns_text then 65533 else . end) | implode;

def title: (. // "") | sub("^\\s+"; "") | split("\n")[0] // "" | line;
def cut($n): if $n < 1 or length <= $n then . else .[0:($n - 1)] + "…" end;
def pad($n): . + (" " * ($n - length) // "");
def padleft($n): (" " * ($n - length) // "") + .;

def paint($text): if $colour and $text != "" then "\u001b[" + . + "m" + $text + "\u001b[0m" else $text end;
def colour_of: { done: "32", failed: "31", active: "33", lost: "31", budget: "31", cancelled: "2", up: "32", ok: "32", degraded: "31" }[.];
# A cell that is already padded, in the colour of its word.
def painted: . as $cell | (sub(" +$"; "") | colour_of) as $c | if $c then ($c | paint($cell)) else $cell end;

def seconds: if . == null then null else sub("\\.[0-9]+"; "") | fromdate end;
def span: if . < 0 then "0s" elif . < 100 then "\(floor)s" elif . < 6000 then "\(. / 60 | floor)m" elif . < 172800 then "\(. / 3600 | floor)h" else "\(. / 86400 | floor)d" end;
def age: if . == null then "" else (now - seconds | span) end;
def amount: if . == null then "" elif . < 10000 then tostring elif . < 10000000 then "\(. / 1000 | floor)k" else "\(. / 1000000 | floor)M" end;
def who: [.agent // .platform // "", .model // ""] | map(select(. != "")) | join("/") | line;

# Rows (arrays of ready one-line texts, the first one the names) as lines: columns padded to their widest, the last one cut to
# what is left.  Names that begin with ">" go to the right.
def table:
	. as $rows
	| ($rows[0] | length) as $n
	| [range($n) as $i | ($rows | map(.[$i] | ltrimstr(">") | length) | max)] as $w
	| ($w[0:$n - 1] | add // 0) as $before
	| ($before + 2 * ($n - 1)) as $used
	| (if $width == 0 then 0 else [$width - $used, 8] | max end) as $left
	| $rows | to_entries[]
	| .key as $k
	| [.value | to_entries[] | .key as $i | (.value | if $k == 0 then ltrimstr(">") else . end)
		| if $i == $n - 1 then cut($left) elif $rows[0][$i][0:1] == ">" then padleft($w[$i]) else pad($w[$i]) end
		| . as $cell | if $k == 0 then ("1" | paint($cell)) else painted end]
	| join("  ") | sub(" +$"; "");

# ---- lists ----

# Nobody has said how many: that is not none.
def reported: .tokens > 0 or any(.sessions[]?; .tokens != null);

def list_row: { id, status: (if .status == "queued" and .held then "held" elif .status == "queued" and .parked_until != null then "parked" else .status end),
	who: who, tokens: (if reported then .tokens else null end), age: (.created | age), title: (.prompt | title) };

# A narrow terminal gets fewer columns rather than broken lines.
def list_table:
	if length == 0 then empty else
	if $width == 0 or $width >= 70 then [[">ID", "STATUS", "AGENT", ">TOKENS", ">AGE", "PROMPT"]] + map([.id, .status, .who, (if .tokens == null then "-" else .tokens | amount end), .age, .title])
	elif $width >= 50 then [[">ID", "STATUS", "AGENT", "PROMPT"]] + map([.id, .status, .who, .title])
	else [[">ID", "STATUS", "PROMPT"]] + map([.id, .status, .title]) end
	| table end;

def sessions_of: . as $t | .sessions[]? | { task: $t.id } + . + { title: ($t.prompt | title) };
def session_result: .result // (if .dispatch.state == "pending" then "starting" elif .dispatch.state == "failed" then "failed" else "active" end);
def session_span: if .ended_at != null and .started_at != null then (.ended_at | seconds) - (.started_at | seconds) | span else .started_at | age end;
def log_table: if length == 0 then empty else
	if $width == 0 or $width >= 70 then [[">TASK", "SESSION", "RESULT", "AGENT", ">TOOK", ">AGO", "PROMPT"]]
		+ map([.task, .id, session_result, who, session_span, ((.ended_at // .started_at) | age), .title])
	else [[">TASK", "SESSION", "RESULT", "PROMPT"]] + map([.task, .id, session_result, .title]) end
	| table end;

def indented: text | sub("\\n+$"; "") | split("\n") | map("    " + .) | join("\n");
def field($name; $value): if $value == null or $value == "" then empty else ($name | pad(12)) + ($value | line) end;
def session_view:
	("\(.id)  \(session_result | painted)  \(who)  \(.started_at // "" | sub("\\.[0-9]+"; ""))  \(session_span)"
	+ (if .exit_code != null then "  exit code \(.exit_code)" else "" end)
	+ (if .tokens != null then "  \(.tokens) tokens" else "" end)),
	(if .dispatch.error then "    not started yet: \(.dispatch.error | line)" else empty end),
	(if .kill.error then "    not ended yet: \(.kill.error | line)" else empty end),
	(if (.summary // "") != "" then .summary | indented else empty end);
def log_view: .sessions[]? | session_view;

def task_view:
	field("task"; .id), ("status" | pad(12)) + (list_row.status | painted),
	field("agent"; who), field("router"; .router),
	field("repository"; .repo_url), field("branch"; .branch), field("directory"; .dir), field("host"; .host), field("network"; .network),
	(if .priority != 0 then field("priority"; .priority | tostring) else empty end),
	field("created"; .created), field("updated"; .updated),
	field("tokens"; (if reported then "\(.tokens)" else "not reported" end) + (if reported and .token_budget then " of \(.token_budget)" else "" end) + (if .budget_exceeded then ", over the budget" else "" end)),
	(if .cost_usd != null then field("cost"; "$\(.cost_usd)") else empty end),
	field("error"; .error),
	field("artifacts"; [.artifacts[]? | .name? // tostring] | join(" ")),
	"", "prompt", (.prompt // "" | indented),
	(if (.result // "") != "" then "", "result", (.result | indented) else empty end),
	(if (.sessions | length) > 0 then "", "sessions", (.sessions[] | session_view) else empty end);

def moved: "task \(.id) is \(list_row.status)" + (if .status == "active" then " (\(.sessions[-1] // . | who))" else "" end);

# ---- configuration ----

def keys_table: [["KEY", "SET", "PREVIEW", "FOR"]] + [.routers[] | .name as $for | .keys[] | [(.env_var | line), (if .set then "yes" else "no" end), (.preview // "" | line), ($for | line)]] | table;
def agents_table: [["ID", "NAME", "AVAILABLE", "MODEL", "COMMAND"]]
	+ [to_entries[] | [(.key | line), (.value.name | line), (if .value.available then "yes" else "no" end), (.value.default_model // "" | line),
		(if .value.available then .value.command // "" else .value.reason // "" end | line)]] | table;

def status_view:
	.settings as $s | $health
	| "chomp \(.version // "" | line) at \($url): \(.status | painted)",
	(if .store.writable then empty else "the store takes no changes: \(.store.message // .store.error // "" | line)" end),
	"processes   " + ([.processes | to_entries[] | "\(.key | line) " + (if .value then "up" | painted else "31" | paint("down") end)] | join("  ")),
	"tasks       " + ([.store | "queued \(.queued)", "active \(.active)", "done \(.done)", "failed \(.failed)"] | join("  ")),
	"auto-run    " + (if $s.paused then "paused" elif $s.auto_run then "on, at most \($s.max_active) at once" else "off" end);
