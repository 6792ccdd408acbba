# What tools/figures knows of a result file: `problems` lists what is wrong with it, `markdown`
# writes its tables. The schema is explained by tools/figures --help.

# unless(right; MESSAGE): the message, where it is not right.
def unless(right; message): if right then empty else message end;

def text: type == "string" and length > 0 and (test("[\n\r]") | not);

def finite: type == "number" and (isinfinite or isnan | not);

def texts: type == "array" and all(text);

def digits: . == null or (finite and . >= 0 and . <= 6 and floor == .);

# unknown(KNOWN; WHERE): the members that the schema does not have, which are misspelt ones.
def unknown($known; $where):
	if type != "object" then "\($where) is no object"
	else (keys - $known)[] | "\($where) has a member '\(.)' that is unknown" end;

def near($other): (. - $other | fabs) <= 1e-9 * ([1, fabs, ($other | fabs)] | max);

def middle: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;

# rounds_problems(COUNT; MEMBER; ends; WHERE): whether the rounds, where they are given, have that
# median, and as their worst one of the `ends` of them.
def rounds_problems($count; $median; ends; $where):
	if has("rounds") | not then empty
	elif .rounds | type != "array" or (all(finite) | not) then
		"\($where).rounds is no array of numbers"
	elif (.rounds | length) != $count then
		"\($where).rounds has \(.rounds | length) numbers, and there were \($count) rounds"
	else
		(.rounds | middle) as $middle
		| (.rounds | [ends]) as $ends
		| .worst as $worst
		| unless(.[$median] | near($middle);
			"\($where).\($median) is \(.[$median]), and that of its rounds \($middle)"),
		unless(any($ends[]; near($worst));
			"\($where).worst is \($worst), and that of its rounds is \($ends | tojson)")
	end;

def cell_problems($count; $where):
	if type == "null" or finite or text then empty
	elif type == "object" then
		unknown(["median", "worst", "rounds"]; $where),
		if (.median | finite) and (.worst | finite) then
			rounds_problems($count; "median"; min, max; $where)
		else "\($where) lacks the number median or worst" end
	else "\($where) is neither a number, a text, {median, worst} nor null" end;

# list_problems(NAME; problems): of a list that has members, and of each.
def list_problems($name; problems):
	.[$name] | unless(type == "array" and length > 0; "\($name) is no list with members"),
	(arrays | to_entries[] | "\($name)[\(.key)]" as $where | .value | problems | $where + .);

def column_problems:
	list_problems("columns";
		unknown(["key", "title", "digits"]; ""),
		(objects
			| unless((.key | text) and (.title | text); " lacks the text key or title"),
			unless(.digits | digits; ".digits is no number from 0 to 6"))),
	(.columns | arrays | map(.key?) | unless(length == (unique | length);
		"columns has a key twice"));

def row_problems:
	.rounds as $count
	| (.columns | arrays | map(.key?)) as $keys
	| list_problems("rows";
		unknown($keys; ""),
		(objects
			| ($keys - keys)[] | " lacks '\(.)'"),
		(objects
			| to_entries[] | .key as $key | .value
			| cell_problems($count; ".\($key)")));

# better(A; B): whether A is at least as good as B.
def better($a; $b): if .better == "less" then $a <= $b else $a >= $b end;

def missed_problems:
	if better(.value; .must) then
		unless(has("missed") | not; " (\(.id)) is said to be missed, and is not: \(.value)")
	else unless(has("missed");
		" (\(.id)) is \(.value), and must be \(.must); say in 'missed' why it is not") end;

def ratio_numbers_problems($count):
	.better as $better
	| unless(better(.value; .worst); ".worst is better than its value"),
	unless(.aim == null or better(.aim; .must); ".aim is easier than must"),
	rounds_problems($count; "value"; if $better == "less" then max else min end; ""),
	missed_problems;

def ratio_problems($count):
	unknown(["id", "what", "value", "worst", "must", "aim", "better", "missed", "digits",
		"rounds"]; ""),
	(objects
		| unless((.id | text) and (.what | text); " lacks the text id or what"),
		unless(.better | . == null or . == "more" or . == "less";
			".better is neither more nor less"),
		unless((has("missed") | not) or (.missed | text); ".missed gives no reason"),
		unless(.digits | digits; ".digits is no number from 0 to 6"),
		if all(.value, .worst, .must, .aim // 0; finite) then ratio_numbers_problems($count)
		else " lacks the number value, worst or must, or has an aim that is none" end);

def machine_problems:
	.machine
	| unknown(["cores", "memoryGiB", "kernel", "cpu"]; "machine"),
	(objects
		| (("cores", "memoryGiB") as $name
			| unless(.[$name] | finite and . > 0; "machine lacks the number \($name)")),
		(("kernel", "cpu") as $name
			| unless(.[$name] | text; "machine lacks the text \($name)")));

# problems(NAME): of the file NAME.json, one text each.
def problems($name):
	unknown(["name", "title", "date", "machine", "rounds", "limits", "columns", "rows", "notes",
		"ratios"]; "the file"),
	(objects
		| unless(.name == $name; "its name is \(.name | tojson), not that of the file"),
		unless(.title | text; "it lacks the text title"),
		unless(.date | text and test("^20[0-9]{2}-[01][0-9]-[0-3][0-9](T[0-9:]{8}Z)?$");
			"its date is neither YYYY-MM-DD nor YYYY-MM-DDThh:mm:ssZ"),
		machine_problems,
		unless(.rounds | finite and floor == . and . >= 5;
			"its rounds are no number from 5 on"),
		unless(.limits | texts; "limits is no list of texts"),
		unless(.notes | texts; "notes is no list of texts"),
		column_problems,
		row_problems,
		(.rounds as $count
			| if .ratios == [] then empty
			else list_problems("ratios"; ratio_problems($count)) end));

# --- Markdown ---

# number(DIGITS): with so many decimals and commas between the thousands.
def number($digits):
	([range($digits)] | reduce .[] as $_ (1; . * 10)) as $scale
	| (fabs * $scale | round) as $units
	| ($units / $scale | floor | tostring
		| [while(length > 0; .[:-3]) | .[-3:]] | reverse | join(",")) as $whole
	| ($units % $scale + $scale | tostring | .[1:]) as $rest
	| (if . < 0 and $units > 0 then "−" else "" end) + $whole
		+ if $digits > 0 then "." + $rest else "" end;

def cell_text: gsub("\\|"; "\\|");

def cell($digits):
	if type == "number" then number($digits)
	elif type == "object" then "\(.median | number($digits)) (\(.worst | number($digits)))"
	elif type == "null" then "–"
	else cell_text end;

def table_line: "| " + join(" | ") + " |";

def figures_table:
	. as $result
	| (.columns | map(.title | cell_text) | table_line),
	([.columns[] | .key as $key
		| if any($result.rows[][$key]; type == "number" or type == "object") then "---:"
		else "---" end] | "|" + join("|") + "|"),
	(.rows[] | . as $row
		| [$result.columns[] | (.digits // 0) as $digits | $row[.key] | cell($digits)]
		| table_line);

def ratio_state:
	if has("missed") then "**missed**: \(.missed | cell_text)"
	elif .aim != null and better(.value; .aim) then "aim reached"
	else "kept" end;

# must and aim are floors, or ceilings where less is better; they are printed as they were given.
def bound($bound): if $bound == null then "–"
	else (if .better == "less" then "≤ " else "≥ " end) + ($bound | tostring) end;

def ratios_table:
	"| | Ratio | Median | Worst | Must | Aim | |",
	"|---|---|---:|---:|---:|---:|---|",
	(.ratios[] | (.digits // 2) as $digits
		| [(.id, .what | cell_text), (.value, .worst | number($digits)),
			bound(.must), bound(.aim), ratio_state] | table_line);

def provenance:
	"Measured on \(.date[:10]) in \(.rounds) rounds; printed is the median (worst).",
	"Machine: \(.machine.cores) cores (\(.machine.cpu)), \(.machine.memoryGiB) GiB, "
		+ "Linux \(.machine.kernel).",
	(select(.limits | length > 0) | "Limits: \(.limits | join(", ")).");

def markdown:
	"**\(.title)**", "", figures_table, "",
	(select(.ratios | length > 0) | ratios_table, ""),
	provenance,
	(select(.notes | length > 0) | "", (.notes[] | "- \(.)"));
