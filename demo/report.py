"""The HTML report: one file, no script, no external asset, readable in light and dark and on paper."""

from __future__ import annotations

from html import escape
from typing import Any

import charts

STAGES = ["train", "setup", "mask", "digest", "unmask", "prove", "verify"]
STAGE_COLOURS = ["--c8", "--c1", "--c3", "--c4", "--c5", "--c7", "--c2"]
MESSAGES = ["setup", "masked input", "digest signature", "release"]
MESSAGE_COLOURS = ["--c1", "--c3", "--c4", "--c5"]
STATES = {
    "full": ("in the sum, and released its shares", "--s-full", "●"),
    "after_digest": ("in the sum; vanished after signing the digest", "--s-late", "◕"),
    "after_mask": ("in the sum; vanished after its masked input", "--s-mid", "◑"),
    "after_setup": ("not in the sum; vanished after setup, its masks were removed", "--s-early", "○"),
    "absent": ("not in the sum; never set up", "--s-none", "–"),
}
DIGIT_COLOURS = [f"--d{i}" for i in range(10)]

_CSS = """
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--ink:#16181d;--soft:#565c66;--faint:#8a909b;--rule:#e4e5e2;--grid:#ecedea;--accent:#1f5fbf;
--good:#14734a;--good-bg:#e7f4ec;--bad:#b02a26;--bad-bg:#fbebea;--warn:#7d5600;--warn-bg:#fdf4dd;
--c1:#2a78d6;--c2:#d9572a;--c3:#1a9e73;--c4:#e0a019;--c5:#c76aa0;--c7:#5b4bb5;--c8:#a7adb5;
--s-full:#2a78d6;--s-late:#5c9ae4;--s-mid:#93bdf0;--s-early:#e7d3b4;--s-none:#e6e7e5;--glyph:#0d1016;
--d0:#12426f;--d1:#1d5c99;--d2:#2a78d6;--d3:#5c9ae4;--d4:#93bdf0;--d5:#c3d9f3;--d6:#f3d9b0;--d7:#e9b872;--d8:#d3913a;--d9:#a2661a}
@media (prefers-color-scheme:dark){:root{--bg:#111317;--card:#191c21;--ink:#eceef2;--soft:#a9afba;--faint:#7b828e;--rule:#2b3038;--grid:#262a31;--accent:#7db2f7;
--good:#63cf9c;--good-bg:#15291f;--bad:#f38b85;--bad-bg:#331b1b;--warn:#ecc46b;--warn-bg:#2f2713;
--c1:#4c93ea;--c2:#ee7a50;--c3:#35b98c;--c4:#e6b040;--c5:#d988b6;--c7:#8a7be0;--c8:#6d7480;
--s-full:#3f87df;--s-late:#3169ae;--s-mid:#274c7b;--s-early:#6a5127;--s-none:#2a2e35;--glyph:#f2f4f8;
--d0:#1c4c7c;--d1:#2a67a8;--d2:#3f87df;--d3:#6aa5ec;--d4:#9cc4f3;--d5:#cfe2f8;--d6:#f1d9b4;--d7:#e3b26c;--d8:#c98a38;--d9:#96631f}}
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1180px;margin:0 auto;padding:44px 24px 64px}
h1{font-size:34px;line-height:1.15;letter-spacing:-.02em;margin:0 0 10px;font-weight:680}
h2{font-size:20px;letter-spacing:-.01em;margin:0 0 4px;font-weight:640}
p{margin:0 0 12px}.lede{font-size:18px;color:var(--soft);max-width:46em}.sub{color:var(--soft);font-size:14.5px;margin-bottom:14px;max-width:62em}
.eyebrow{font-size:13px;letter-spacing:.08em;text-transform:uppercase;color:var(--accent);font-weight:640;margin:0 0 8px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin:28px 0 20px}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:25px;letter-spacing:-.02em;font-weight:660;font-variant-numeric:tabular-nums;white-space:nowrap}
.tile b small{font-size:15px;font-weight:560;color:var(--soft);letter-spacing:0}
.tile span{color:var(--soft);font-size:13.5px;line-height:1.4;display:block;margin-top:2px}
.notice{background:var(--warn-bg);color:var(--warn);border-radius:10px;padding:12px 16px;font-size:14.5px;margin:0 0 32px}
section{background:var(--card);border:1px solid var(--rule);border-radius:12px;padding:22px 24px;margin:0 0 18px;min-width:0}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:18px}@media (max-width:900px){.pair{grid-template-columns:1fr;gap:0}}
svg{display:block;width:100%;height:auto;overflow:visible}
svg .grid{stroke:var(--grid);stroke-width:1}svg text{font-family:inherit;fill:var(--soft)}svg .tick{font-size:12px;fill:var(--faint)}svg .axis{font-size:12px;fill:var(--soft)}
svg .name{font-size:12.5px;fill:var(--soft)}svg .value{font-size:12px;fill:var(--ink);font-variant-numeric:tabular-nums}svg .glyph{font-size:13px;fill:var(--glyph)}
.legend{display:flex;flex-wrap:wrap;gap:6px 16px;margin:0 0 12px;padding:0;list-style:none;font-size:13.5px;color:var(--soft)}
.legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px}
.legend i.ring{background:none!important;border:2px solid;border-radius:50%}.legend i.dot{border-radius:50%}
.legend i.g{width:18px;height:18px;font:12px/18px system-ui;text-align:center;font-style:normal;color:var(--glyph);vertical-align:-3px}
.scroll{overflow-x:auto;margin:0 -24px;padding:0 24px}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th{font-weight:600;color:var(--soft);font-size:12.5px;text-align:right;padding:6px 6px;border-bottom:1px solid var(--rule);vertical-align:bottom;white-space:nowrap}
td{padding:7px 6px;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}tr:last-child td{border-bottom:0}
th:first-child,td:first-child{text-align:left;padding-left:0}td.l,th.l{text-align:left;white-space:normal}
.yes,.no{display:inline-block;border-radius:99px;padding:1px 9px;font-size:12.5px;font-weight:600}.yes{background:var(--good-bg);color:var(--good)}.no{background:var(--bad-bg);color:var(--bad)}
code{font:12.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--grid);border-radius:4px;padding:1px 5px;overflow-wrap:anywhere}
td code{white-space:nowrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:5px 18px;margin:0;font-size:14px}dt{color:var(--soft)}dd{margin:0;min-width:0;overflow-wrap:anywhere}
ul.plain{margin:0;padding-left:1.1em;font-size:14.5px;color:var(--soft)}ul.plain li{margin:0 0 6px}ul.plain b{color:var(--ink);font-weight:600}
footer{color:var(--faint);font-size:13px;margin-top:26px}
@media print{section,.tile{break-inside:avoid}body{font-size:12px}}
"""


def bytes_text(n: float) -> str:
    """A number of bytes with a decimal unit."""
    return f"{n:.0f} B" if n < 1000 else f"{n / 1e3:.1f} kB" if n < 1e6 else f"{n / 1e6:.2f} MB"


def seconds_text(v: float) -> str:
    """Seconds, with milliseconds where they matter."""
    return f"{v:.2f}" if v >= 0.1 else f"{v:.3f}"


def _percent(v: float) -> str:
    return f"{100 * v:.0f}%"


def _legend(items: list[tuple[str, str]], cls: list[str] | None = None) -> str:
    marks = cls or [""] * len(items)
    cells = "".join(
        f'<li><i class="{c}" style="background:var({colour});border-color:var({colour})"></i>{escape(name)}</li>'
        for (name, colour), c in zip(items, marks, strict=True)
    )
    return f'<ul class="legend">{cells}</ul>'


def _section(title: str, sub: str, body: str) -> str:
    return f'<section><h2>{escape(title)}</h2><p class="sub">{sub}</p>{body}</section>'


def _table(head: list[str], rows: list[list[str]], left: set[int] = frozenset()) -> str:  # type: ignore[assignment]
    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f'<{tag}{" class=l" if i in left else ""}>{c}</{tag}>' for i, c in enumerate(cells)) + "</tr>"

    return f'<div class="scroll"><table><thead>{row(head, "th")}</thead><tbody>{"".join(row(r, "td") for r in rows)}</tbody></table></div>'


def _tiles(result: dict[str, Any]) -> str:
    rounds, attacks, config = result["rounds"], result["attacks"], result["config"]
    last = rounds[-1]
    worst = max(rounds, key=lambda r: r["max_error"] / r["error_bound"])
    up = sum(sum(r["bytes_up"].values()) for r in rounds) / len(rounds)
    refused = sum(a["refused"] for a in attacks)
    tiles = [
        (f"{100 * last['accuracy']:.1f}%", f"test accuracy after {len(rounds)} rounds; plain FedAvg {100 * last['fedavg_accuracy']:.1f}%"),
        (f"{worst['max_error']:.1e}", f"largest difference from FedAvg in any coordinate; the quantiser allows {worst['error_bound']:.1e}"),
        (f"{sum(r['verified'] for r in rounds)}<small> of {len(rounds)}</small>", "rounds proved, opened and verified"),
        (f"{refused}<small> of {len(attacks)}</small>", "lies of the aggregator refused by name"),
        (f"{rounds[0]['certificate_bytes']}<small> bytes</small>", f"certificate per round, whatever the model's size ({config['dimension']:,} coordinates here)"),
        (bytes_text(up).replace(" ", "<small> ") + "</small>", f"sent up by a client per round; its update alone is {bytes_text(config['plain_bytes'])}"),
    ]
    return '<div class="tiles">' + "".join(f'<div class="tile"><b>{b}</b><span>{escape(s)}</span></div>' for b, s in tiles) + "</div>"


def _rounds_table(rounds: list[dict[str, Any]]) -> str:
    head = ["Round", "In sum", "Dropped", "Released", "Accuracy", "FedAvg", "Difference", *STAGES, "Up / client", "Certificate", ""]
    body = []
    for r in rounds:
        dropped = sum(s in ("absent", "after_setup") for s in r["states"])
        silent = sum(s in ("after_mask", "after_digest") for s in r["states"])
        body.append([
            str(r["round"]),
            str(r["posted"]),
            f"{dropped} + {silent}" if silent else str(dropped),
            str(r["releasers"]),
            f"{100 * r['accuracy']:.1f}%",
            f"{100 * r['fedavg_accuracy']:.1f}%",
            f"{r['max_error']:.1e}",
            *(seconds_text(r["seconds"][s]) for s in STAGES),
            bytes_text(sum(r["bytes_up"].values())),
            f"{r['certificate_bytes']} B",
            '<span class="yes">verified</span>' if r["verified"] else '<span class="no">no</span>',
        ])
    return _table(head, body)


def _attacks_table(attacks: list[dict[str, Any]]) -> str:
    rows = [
        [
            escape(a["name"]),
            escape(a["how"]),
            escape(a["checked_by"]),
            f"<code>{escape(a['error'])}</code><br><small>{escape(a['message'])}</small>",
            '<span class="yes">refused</span>' if a["refused"] else '<span class="no">believed</span>',
        ]
        for a in attacks
    ]
    return _table(["The lie", "What the aggregator does", "Who checks", "Named error", ""], rows, {0, 1, 2, 3})


def render(result: dict[str, Any]) -> str:
    """The whole page for the result of a run."""
    rounds, config, machine = result["rounds"], result["config"], result["machine"]
    names = [f"round {r['round']}" for r in rounds]
    accuracy = _legend([("Blindsum", "--c1"), ("plain FedAvg, same survivors", "--c2")], ["dot", "ring"]) + charts.lines(
        [
            charts.Line("Blindsum", "--c1", [r["accuracy"] for r in rounds]),
            charts.Line("plain FedAvg", "--c2", [r["fedavg_accuracy"] for r in rounds], hollow=True),
        ],
        "Test accuracy per round, Blindsum and plain FedAvg",
        "round",
        _percent,
    )
    grid = (
        '<ul class="legend">'
        + "".join(f'<li><i class="g" style="background:var({c})">{g}</i>{escape(w)}</li>' for w, c, g in STATES.values())
        + "</ul>"
        + charts.presence([r["states"] for r in rounds], STATES, "Which clients were there, per round")
    )
    holding = _legend([(str(i), c) for i, c in enumerate(DIGIT_COLOURS)]) + charts.shares(
        [c["histogram"] for c in result["clients"]], DIGIT_COLOURS, "Images per client and digit"
    )
    times = _legend(list(zip(STAGES, STAGE_COLOURS, strict=True))) + charts.bars(
        [charts.Bar(n, [r["seconds"][s] for s in STAGES], f"{sum(r['seconds'].values()):.2f} s") for n, r in zip(names, rounds, strict=True)],
        STAGES, STAGE_COLOURS, "Seconds per stage and round", "seconds, all clients and the aggregator one after another on one machine", lambda v: f"{v:.3g}",
    )
    sizes = _legend([*zip(MESSAGES, MESSAGE_COLOURS, strict=True), ("the update alone, float32", "--c8")]) + charts.bars(
        [
            charts.Bar("plain", [0.0] * len(MESSAGES) + [config["plain_bytes"]]),
            *(charts.Bar(n, [*(r["bytes_up"][m] for m in MESSAGES), 0.0]) for n, r in zip(names, rounds, strict=True)),
        ],
        [*MESSAGES, "update"], [*MESSAGE_COLOURS, "--c8"], "Bytes up per client", "bytes that one client sends in a round", bytes_text,
    )
    facts = [
        ("Mode", f"{config['mode']}: a survivor digest is signed by {config['quorum']} of {config['clients']} clients before anyone releases a share"),
        ("Clients and threshold", f"n = {config['clients']}, t = {config['threshold']}, floor F = {config['floor']}, corrupt members assumed c = {config['corrupt']}, one group"),
        ("Vector", f"d = {config['dimension']:,} ({config['parameters']:,} parameters and the weight), {config['bits']} bits, clip {config['clip']}, weights {config['w_min']} to {config['w_max']}"),
        ("Proof", f"Groth16 over BN254, N = {config['slots']}, {config['key_words']}"),
        ("Key id", f"<code>{escape(config['key_id'])}</code>"),
        ("Backend", escape(config["backend"])),
        ("Machine", escape(f"{machine['cpu']}, {machine['cores']} cores; {machine['system']}; Python {machine['python']}, numpy {machine['numpy']}, blindsum {machine['blindsum']}")),
        ("Whole run", f"{result['total_seconds']:.1f} s ({result['setup_seconds']:.1f} s of it for the development key)"),
        ("Seed of the learning", f"{config['seed']} (data, shares, model, training; cryptographic randomness always comes from the operating system)"),
    ]
    checks = "".join(f"<li><b>{escape(c['name'])}.</b> {escape(c['detail'])}</li>" for c in result["checks"])
    page = [
        f'<p class="eyebrow">Blindsum demo report</p><h1>{len(rounds)} rounds of learning, no update ever seen</h1>',
        f'<p class="lede">{config["clients"]} clients train one network on unequal shares of handwritten digits. The aggregator learns their sum and nothing else, and every sum comes with a proof that '
        "it is the sum of exactly the vectors that registered clients signed, while clients keep dropping out.</p>",
        _tiles(result),
        '<p class="notice"><b>Development key.</b> The proving key of this run was made by one machine in one step, so whoever ran it could forge proofs. The certificates say so in their bytes, and a verifier accepts '
        "them only when told to. A real deployment needs a key from a ceremony of several parties.</p>",
        '<div class="pair">',
        _section("Accuracy", "The same survivors, the same local training, averaged in the clear for comparison.", accuracy),
        _section("What each client holds", "Images per digit, dealt by a Dirichlet distribution; no client ever sends these counts.", holding),
        "</div>",
        _section("Who was there", "Clients vanish at every phase. A dropped client's masks are removed by the others' shares; one that vanishes later stays in the sum.", grid),
        '<div class="pair">',
        _section("Time", "Wall clock per stage. Clients would work side by side in a deployment; here they take turns.", times),
        _section("Traffic", "Mean over the clients that sent each message. The masked input is 4 bytes a coordinate, as the plain update.", sizes),
        "</div>",
        _section("Round by round", "Dropped: not in the sum + in the sum but silent later. Difference: the largest one from FedAvg over the coordinates. Stages in seconds.", _rounds_table(rounds)),
        _section("A lying aggregator", "Each lie is told with the real keys and messages of the run. The honest certificate is verified again after each one.", _attacks_table(result["attacks"])),
        '<div class="pair">',
        _section("What was asserted", "A run that misses any of these stops with an error and writes no report.", f'<ul class="plain">{checks}</ul>'),
        _section("The run", "", "<dl>" + "".join(f"<dt>{k}</dt><dd>{v}</dd>" for k, v in facts) + "</dl>"),
        "</div>",
        '<section><h2>What this does not show</h2><ul class="plain">'
        "<li><b>Everything ran in one process.</b> Messages are the real bytes, but no network, no chain and no other machine took part.</li>"
        "<li><b>Masking hides updates, not their sum.</b> What a sum tells about its members is bounded only by noise (DP), which is off here.</li>"
        "<li><b>A client may submit any vector in range.</b> The proof says that the sum is right, not that each vector was honestly trained.</li>"
        "<li><b>Nobody has audited this software.</b></li></ul></section>",
        f"<footer>Written by <code>make demo</code> on {escape(result['started'])}. The numbers are in <code>report.json</code> beside this file.</footer>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Blindsum demo report</title><style>{_CSS}</style></head><body><main>{''.join(page)}</main></body></html>\n"
    )
