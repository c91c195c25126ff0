# Copyright (c) The mlops.tf_serving developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pages of the report, as jinja2 templates: a module's code can only travel as Python files.

Everything is escaped by jinja2, but for the plots and the style below. The pages hold no script and load nothing; their
Content-Security-Policy makes a browser see to that.
"""
from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f8; --card: #fff; --ink: #1a2027; --muted: #57626d; --line: #d8dde2; --accent: #2a6db0;
  --good: #17784a; --bad: #bf3329; --warn: #8a5a00; --right: 23, 120, 74; --wrong: 200, 52, 40;
  --s1: #2a6db0; --s2: #c2571a; --s3: #17784a; --s4: #8b4fb0; --s5: #8a6d00; --s6: #0c7f86;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #12161a; --card: #1a2026; --ink: #e7ebee; --muted: #9ca8b3; --line: #343d46; --accent: #74b0ee;
    --good: #4fc78c; --bad: #f4796d; --warn: #e5b454; --right: 48, 150, 100; --wrong: 222, 76, 62;
    --s1: #74b0ee; --s2: #f0965a; --s3: #4fc78c; --s4: #c596e6; --s5: #d8bb4e; --s6: #4fc3cb;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
}
main { max-width: 1060px; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
section, header {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.2rem 1.5rem 1.3rem; margin: 0 0 1.1rem;
}
header { border-left: 8px solid var(--bad); }
header.passed { border-left-color: var(--good); }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.15rem 0 0.5rem; overflow-wrap: anywhere; }
h1 span { color: var(--bad); }
.passed h1 span { color: var(--good); }
h2 { font-size: 1.2rem; margin: 0 0 0.7rem; }
header h2 { margin-top: 1.5rem; }
h3 { font-size: 1rem; margin: 0 0 0.5rem; }
p { margin: 0 0 0.7rem; max-width: 75ch; overflow-wrap: anywhere; }
ul { margin: 0 0 0.7rem; padding-left: 1.2rem; overflow-wrap: anywhere; }
a { color: var(--accent); }
nav { font-size: 0.9rem; margin: 0 0 0.8rem; }
.small, figcaption, caption { color: var(--muted); font-size: 0.88rem; }
.sentence { font-size: 1.08rem; }
.bad { color: var(--bad); font-weight: 600; }
.good { color: var(--good); font-weight: 600; }
p.bad { font-weight: 400; }
.warn { color: var(--warn); }
td .good, td .bad, .number { white-space: nowrap; }

dl.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 0.7rem; margin: 1rem 0 0; }
dl.tiles div { border-top: 2px solid var(--line); padding-top: 0.4rem; }
dl.tiles dt, dl.tiles .more { color: var(--muted); font-size: 0.82rem; font-weight: 400; }
dl.tiles dd { margin: 0; font-size: 1.45rem; line-height: 1.25; font-weight: 600; overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: 0.25rem 1.2rem; margin: 0 0 1rem; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }

.wide { overflow-x: auto; margin: 0 0 0.6rem; }
.wide:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
table.full { width: 100%; }
caption { text-align: left; padding-bottom: 0.3rem; white-space: nowrap; }
th, td { text-align: left; padding: 0.32rem 1.1rem 0.32rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
thead th { color: var(--muted); font-size: 0.82rem; font-weight: 500; white-space: nowrap; }
tbody th { font-weight: 500; }
table.full tbody th { min-width: 9rem; }
.number { text-align: right; }
td.text { max-width: 46rem; overflow-wrap: anywhere; }
table.confusion { font-size: 0.88rem; }
table.confusion th, table.confusion td {
  border: 1px solid var(--card); padding: 0 0.35rem; min-width: 2.2rem; height: 1.9rem; text-align: center; vertical-align: middle;
}
table.confusion th { max-width: 9rem; overflow-wrap: anywhere; color: var(--muted); font-weight: 500; white-space: normal; }
table.confusion td { background: rgba(var(--wrong), var(--share, 0)); }
table.confusion td.same { background: rgba(var(--right), var(--share, 0)); }
table.confusion td.none { color: var(--muted); }

.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 1rem 1.6rem; }
figure { margin: 0 0 0.6rem; }
figure svg { display: block; width: 100%; height: auto; }
figure svg text { font-family: inherit !important; }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
ol.pictures {
  list-style: none; margin: 0 0 0.7rem; padding: 0;
  display: grid; grid-template-columns: repeat(auto-fill, minmax(86px, 1fr)); gap: 0.6rem;
}
ol.pictures li {
  border: 1px solid var(--line); border-radius: 8px; padding: 7px;
  font-size: 0.78rem; line-height: 1.4; text-align: center; overflow-wrap: anywhere;
}
ol.pictures img {
  display: block; width: 100%; height: auto; aspect-ratio: 1; object-fit: contain; margin: 0 0 0.3rem;
  image-rendering: pixelated; border-radius: 4px; background: #000;
}
ol.pictures img.photo { image-rendering: auto; }
ol.pictures b { font-size: 1.2em; }
ol.pictures .small { font-size: inherit; }

@media (max-width: 560px) {
  main { padding: 0.6rem 0.5rem 2rem; }
  section, header { padding: 0.9rem 0.8rem; }
  h1 { font-size: 1.5rem; }
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd { margin-bottom: 0.5rem; }
  dl.tiles { grid-template-columns: 1fr 1fr; }
  ol.pictures { grid-template-columns: repeat(auto-fill, minmax(78px, 1fr)); gap: 0.4rem; }
  ol.pictures li { padding: 3px; font-size: 0.72rem; }
  th, td { padding-right: 0.6rem; }
  table.confusion th, table.confusion td { min-width: 1.75rem; padding: 0 0.15rem; }
}
@page { size: A4; margin: 14mm; }
@media print {
  :root { --page: #fff; --line: #c4cbd2; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 9.5pt; }
  main { max-width: none; padding: 0; }
  header { border-radius: 0; }
  section { border-width: 1px 0 0; border-radius: 0; padding: 0.8rem 0; margin: 0; }
  nav { display: none; }
  .wide { overflow: visible; }
  th, td { padding-right: 0.6rem; }
  thead th { white-space: normal; }
  h2, h3, caption, p.small { break-after: avoid; }
  figure, tr, li, header, table.confusion, .columns > div { break-inside: avoid; }
  dl.tiles { grid-template-columns: repeat(5, 1fr); }
  .columns { grid-template-columns: 1fr 1fr; }
  ol.pictures { grid-template-columns: repeat(10, 1fr); gap: 5px; }
  ol.pictures li { padding: 3px; font-size: 6.5pt; }
}
"""

HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{% if summary %}
<meta name="inference-check" content="{{ summary }}">
{% endif %}
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<main>
{% macro word(passed) %}
<span class="{{ 'good' if passed else 'bad' }}">{{ '✓ passed' if passed else '✗ failed' }}</span>
{% endmacro %}
{% macro scrolled(label) %}
<div class="wide" role="region" tabindex="0" aria-label="{{ label }}">{{ caller() }}</div>
{% endmacro %}
{% macro figure(plot, text) %}
{% if plot %}
<figure role="group" aria-label="{{ text }}">{{ plot }}<figcaption>{{ text }}</figcaption></figure>
{% endif %}
{% endmacro %}
{% macro headings(names) %}
<thead><tr>
{% for name, numbers in names if name %}
<th scope="col"{{ ' class="number"' | safe if numbers }}>{{ name }}</th>
{% endfor %}
</tr></thead>
{% endmacro %}
"""

REPORT = HEAD + """
{% if index %}
<nav><a href="index.html">All models</a></nav>
{% endif %}
<header class="{{ 'passed' if findings.passed else 'failed' }}">
<p class="small">Inference check of <b>{{ measured.model }}</b>, {{ version }} · <time datetime="{{ measured.at }}">{{ at }}</time></p>
<h1><span>{{ '✓ Passed.' if findings.passed else '✗ Failed.' }}</span> {{ findings.message }}</h1>
<p class="sentence">{{ findings.sentence }}</p>
{% if findings.failure and findings.failure != findings.sentence %}
<p class="bad">{{ findings.failure }}</p>
{% endif %}
{% if findings.warnings %}
<ul class="warn">
{% for warning in findings.warnings %}
<li>{{ warning }}</li>
{% endfor %}
</ul>
{% endif %}
<dl class="tiles">
{% for name, value, more in tiles %}
<div><dt>{{ name }}</dt><dd>{{ value }}</dd>{% if more %}<dd class="more">{{ more }}</dd>{% endif %}</div>
{% endfor %}
</dl>
{% if findings.thresholds %}
<h2>Thresholds</h2>
{% call scrolled("Thresholds") %}
<table class="full">
{{ headings([("Threshold", 0), ("Measured", 0), ("Limit", 0), ("Verdict", 0)]) }}
<tbody>
{% for threshold in findings.thresholds %}
<tr><th scope="row">{{ threshold.name }}</th><td>{{ threshold.measured }}</td><td>{{ threshold.limit }}</td>
<td>{{ word(threshold.passed) }}
{% if threshold.within_noise %}
<span class="warn">{{ threshold.noise or "within noise" }}</span>
{% endif %}
</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% endif %}
</header>

{% if rate_text %}
<section aria-labelledby="rate">
<h2 id="rate">{{ 'Agreement with the golden answers' if golden_only else 'Error rate' }}</h2>
<div class="columns">
<p>{{ rate_text }}</p>
{{ figure(plots.rate, rate_caption) }}
</div>
</section>
{% endif %}

{% if confusion or plots.confusion or findings.confused %}
<section aria-labelledby="confusion">
<h2 id="confusion">Confusion matrix</h2>
<p class="small">What {{ findings.worst }} answered. {% if unanswered %}Tests without an answer are left out.{% endif %}</p>
<div class="columns">
{% if confusion %}
<div>
{% call scrolled("Confusion matrix") %}
<table class="confusion">
<caption>Rows: expected. Columns: given.</caption>
<thead><tr><td class="none"></td>
{% for label in confusion.labels %}
<th scope="col">{{ label }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for label, cells in confusion.rows %}
<tr><th scope="row">{{ label }}</th>
{% for cell in cells %}
<td class="{{ cell.class }}"{% if cell.share %} style="--share: {{ cell.share }}"{% endif %}>{{ cell.count }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody></table>
{% endcall %}
</div>
{% endif %}
{{ figure(plots.confusion, "Green: right. Red: wrong, the stronger the larger its share of the expected class.") }}
{% if findings.confused %}
<div>
{% call scrolled("Most often confused") %}
<table>
<caption>Most often confused</caption>
{{ headings([("Expected", 0), ("Given", 0), ("Tests", 1)]) }}
<tbody>
{% for pair in findings.confused %}
<tr><td>{{ pair.expected | shown }}</td><td>{{ pair.given | shown }}</td><td class="number">{{ pair.count }}</td></tr>
{% endfor %}
</tbody></table>
{% endcall %}
</div>
{% endif %}
</div>
</section>
{% endif %}

{% if plots.scatter %}
<section aria-labelledby="values">
<h2 id="values">Values</h2>
{{ figure(plots.scatter, "Expected against given values of %s, and how far they are apart. Red: outside the tolerance." % findings.worst) }}
</section>
{% endif %}

{% if mistakes %}
<section aria-labelledby="mistakes">
<h2 id="mistakes">{{ mistakes.title }}</h2>
<p class="small">{{ mistakes.text }}</p>
{% if mistakes.pictures %}
<ol class="pictures">
{% for entry in mistakes.entries %}
<li><img src="{{ entry.picture }}"{% if entry.photo %} class="photo"{% endif %} width="{{ entry.width }}" height="{{ entry.height }}"
 alt="Test {{ entry.index }}: {{ mistakes.wanted }} {{ entry.expected }}, given {{ entry.given }}">
{% if entry.expected %}{{ mistakes.wanted }} <b>{{ entry.expected }}</b><br>{% endif %}given <b class="bad">{{ entry.given }}</b>
{% if entry.score %}
<br><span class="small">score {{ entry.score }}</span>
{% endif %}
</li>
{% endfor %}
</ol>
{% else %}
{% call scrolled(mistakes.title) %}
<table>
{{ headings([("Test", 1), (mistakes.wanted | capitalize, 0), ("Given", 0), ("Score" if mistakes.scored, 1)]) }}
<tbody>
{% for entry in mistakes.entries %}
<tr><td class="number">{{ entry.index }}</td><td>{{ entry.expected }}</td><td>{{ entry.given }}</td>
{% if mistakes.scored %}
<td class="number">{{ entry.score }}</td>
{% endif %}
</tr>
{% endfor %}
</tbody></table>
{% endcall %}
{% endif %}
</section>
{% endif %}

<section aria-labelledby="latency">
<h2 id="latency">Latency</h2>
{% if plots.latency or plots.time %}
<div class="columns">
{{ figure(plots.latency, "Single requests: one test each, one at a time.%s"
 % (" The percentiles are those of all servers together." if servers | length > 1 else "")) }}
{{ figure(plots.time, "The counted requests over time: up to %s tests each, %s at a time to each server."
 % (measured.batch_size, measured.concurrency)) }}
</div>
{% else %}
<p>No request was answered.</p>
{% endif %}
</section>

<section aria-labelledby="servers">
<h2 id="servers">Servers and versions</h2>
{% call scrolled("Servers") %}
<table class="full">
{{ headings([("Server", 0), ("Version", 0), ("Error rate", 1), ("Agreement" if measured.golden, 1), ("Answered", 1), ("Wrong", 1),
 ("p50 ms", 1), ("p90 ms", 1), ("p99 ms", 1), ("Longest ms", 1), ("Tests/s", 1)]) }}
<tbody>
{% for server in servers %}
<tr><th scope="row">{{ server.title }}{% if not server.counts %} <span class="warn">(does not count)</span>{% endif %}</th>
<td>{{ server.version }}</td>
{% for value in server.numbers %}
<td class="number">{{ value }}</td>
{% endfor %}
</tr>
{% if server.notes %}
<tr><td colspan="{{ server.numbers | length + 2 }}" class="text bad">{{ server.notes }}</td></tr>
{% endif %}
{% endfor %}
</tbody></table>
{% endcall %}
{{ figure(plots.servers, "The servers side by side. The dashed line is the limit, a bar reaches from p50 to p99.") }}
</section>

{% if others %}
<section aria-labelledby="others">
<h2 id="others">Comparison</h2>
<div class="columns">
{% for other in others %}
<div>
<h3>{{ other.title }}</h3>
<p>{{ other.text }}</p>
{% if other.differs %}
<ul class="warn">
{% for sentence in other.differs %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
{% endif %}
<dl class="facts">
{% for name, value in other.facts %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}
</dl>
</div>
{% endfor %}
</div>
{{ figure(plots.others, "%s with 95%% intervals; the dashed line is the limit of this check."
 % ("Agreement" if golden_only else "Error rates")) }}
</section>
{% endif %}

<section aria-labelledby="environment">
<h2 id="environment">Environment</h2>
<dl class="facts">
{% for name, value in environment %}
<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}
</dl>
</section>
</main>
</body>
</html>
"""

INDEX = HEAD + """
<header class="{{ 'failed' if failed else 'passed' }}">
<p class="small">Inference checks</p>
<h1><span>{{ '✗' if failed else '✓' }}</span> {{ title }}</h1>
<p class="sentence">The last check of each model, failed ones first.</p>
</header>
<section>
{% call scrolled("Models") %}
<table class="full">
{{ headings([("Verdict", 0), ("Model", 0), ("Version", 0), ("Error rate", 1), ("95% interval", 0),
 ("Agreement" if rows | selectattr("agreement", "ne", "-") | list, 1), ("p50 ms", 1), ("p99 ms", 1), ("When", 0)]) }}
<tbody>
{% for row in rows %}
<tr><td>{{ word(row.passed) }}</td>
<th scope="row"><a href="{{ row.link }}">{{ row.model }}</a>{% if row.where %}<br><span class="small">{{ row.where }}</span>{% endif %}</th>
<td>{{ row.version }}</td><td class="number">{{ row.error_rate }}</td><td>{{ row.interval }}</td>
{% if rows | selectattr("agreement", "ne", "-") | list %}
<td class="number">{{ row.agreement }}</td>
{% endif %}
<td class="number">{{ row.p50 }}</td><td class="number">{{ row.p99 }}</td>
<td><time datetime="{{ row.at }}">{{ row.when }}</time></td></tr>
{% if row.failure %}
<tr><td></td><td colspan="8" class="text small">{{ row.failure }}</td></tr>
{% endif %}
{% endfor %}
</tbody></table>
{% endcall %}
</section>
</main>
</body>
</html>
"""
