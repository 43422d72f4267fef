package suite

import (
	"html/template"
	"io"
)

// WriteHTML writes the reports as one page that needs nothing else.
func WriteHTML(w io.Writer, reports ...*Report) error {
	type view struct {
		*Report
		Rows     []row
		All      row
		Verdicts []Verdict
	}
	var views []view
	for _, r := range reports {
		views = append(views, view{r, r.rows(), r.total(), Verdicts})
	}
	return page.Execute(w, views)
}

var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"class": func(v Verdict) string {
		return map[Verdict]string{Strict: "strict", NonStrict: "nonstrict", Failed: "failed", NotNegotiated: "none"}[v]
	},
	"verdictAt": func(i int) Verdict { return Verdicts[i] },
}).Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>WebSocket conformance</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
.strict { color: #17692e; } .nonstrict { color: #8a5a00; } .failed { color: #b00020; font-weight: bold; } .none { color: #666; }
td.zero { color: #bbb; font-weight: normal; }
details { border-bottom: 1px solid #eee; padding: .25em 0; }
summary { cursor: pointer; }
summary .number { display: inline-block; min-width: 5em; font-variant-numeric: tabular-nums; }
summary .verdict { display: inline-block; min-width: 8em; }
dl { margin: .4em 0 .8em 5em; display: grid; grid-template-columns: 8em minmax(0, 1fr); gap: .2em 1em; }
dt { color: #666; } dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: 0; font: 13px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.filter { position: sticky; top: 0; background: #fff; padding: .5em 0; border-bottom: 1px solid #ddd; }
.filter label { margin-right: 1.2em; }
input[type=search] { font: inherit; padding: .2em .5em; width: 18em; }
</style>
<h1>WebSocket conformance</h1>
{{range .}}
<section>
<h2>{{.Role}} {{.Target}}</h2>
<p>{{len .Results}} cases in {{printf "%.1f" .Seconds}} s, begun {{.Started.Format "2006-01-02 15:04:05 MST"}}</p>
<table>
<tr><th>Group</th>{{range .Verdicts}}<th>{{.}}</th>{{end}}<th>all</th></tr>
{{range .Rows}}<tr><td>{{.Group}}</td>{{range $i, $n := .Counts}}<td class="{{if $n}}{{class (verdictAt $i)}}{{else}}zero{{end}}">{{$n}}</td>{{end}}<td>{{.Total}}</td></tr>
{{end}}{{with .All}}<tr><th>{{.Group}}</th>{{range $i, $n := .Counts}}<td class="{{if $n}}{{class (verdictAt $i)}}{{else}}zero{{end}}">{{$n}}</td>{{end}}<td>{{.Total}}</td></tr>{{end}}
</table>
</section>
{{end}}
<div class="filter">
<label><input type="checkbox" data-verdict="strict" checked> strict</label>
<label><input type="checkbox" data-verdict="nonstrict" checked> non-strict</label>
<label><input type="checkbox" data-verdict="failed" checked> failed</label>
<label><input type="checkbox" data-verdict="none" checked> not negotiated</label>
<input type="search" placeholder="number, group or words" aria-label="search">
<span id="shown"></span>
</div>
{{range .}}{{$report := .}}
<section>
<h2>{{.Role}} {{.Target}}</h2>
{{range .Results}}<details data-verdict="{{class .Verdict}}">
<summary><span class="number">{{.Number}}</span><span class="verdict {{class .Verdict}}">{{.Verdict}}</span>{{.Group}}: {{.Name}}</summary>
<dl>
<dt>{{.Section}}</dt><dd>{{.Rule}}</dd>
<dt>accepts</dt><dd>{{.Accepts}}</dd>
<dt>verdict</dt><dd class="{{class .Verdict}}">{{.Verdict}}: {{.Reason}}</dd>
<dt>sends</dt><dd><pre>{{.Sends}}</pre></dd>
<dt>sent</dt><dd><pre>{{.Sent}}
{{.SentBytes}} bytes in all</pre></dd>
<dt>received</dt><dd><pre>{{range .Received}}{{.}}
{{end}}{{.Frames}} frames in all</pre></dd>
{{if .Agreed}}<dt>window</dt><dd>agreed {{.Agreed}}, largest distance measured {{.Window}}, {{.Compressed}} messages compressed</dd>{{end}}
<dt>took</dt><dd>{{printf "%.1f" .Millis}} ms</dd>
</dl>
</details>
{{end}}</section>
{{end}}
<script>
const boxes = document.querySelectorAll("input[data-verdict]"), search = document.querySelector("input[type=search]");
const cases = [...document.querySelectorAll("details")].map(e => [e, e.firstElementChild.textContent.toLowerCase()]);
function filter() {
	const on = new Set([...boxes].filter(b => b.checked).map(b => b.dataset.verdict)), words = search.value.toLowerCase();
	let n = 0;
	for (const [e, text] of cases) {
		const show = on.has(e.dataset.verdict) && text.includes(words);
		e.hidden = !show;
		n += show;
	}
	document.getElementById("shown").textContent = n + " of " + cases.length;
}
boxes.forEach(b => b.addEventListener("change", filter));
search.addEventListener("input", filter);
filter();
</script>
</html>
`))
