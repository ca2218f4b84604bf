use std::collections::BTreeMap;

use super::*;
use crate::facts::Facts;
use crate::rules::testing::{judged, report, rule};

fn page(text: &str, change: impl FnOnce(&mut Report)) -> String {
    let mut report = report(judged(text));
    change(&mut report);
    let facts = Facts::default();
    let artefact = Artefact { report: &report, facts: &facts, at: 1_764_115_200 };
    let mut out = Vec::new();
    render(&artefact, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn of(fact: &str, rest: &str) -> String {
    format!("{rest}\nexpect = [{{ fact = \"{fact}\", equals = true }}]")
}

#[test]
fn the_page_begins_with_the_verdict_and_the_first_cause() {
    let text = rule("good", &of("bool.true", ""))
        + &rule("root", &of("bool.false", "advice = [{ text = \"Do it.\", command = \"a <b>\" }]"))
        + &rule("leaf", &of("bool.true", "needs = [\"root\"]\nsymptom = \"it & breaks\""))
        + &rule("hidden", &of("bool.unreadable", ""));
    let page = page(&text, |_| {});
    let (head, rest) = page.split_once("<section id=\"findings\">").unwrap();
    let body = head.split_once("<body>").unwrap().1;
    insta::assert_snapshot!(body, @r##"

    <header>
    <h1><bdi>gpu-node-07</bdi></h1>
    <p class="verdict bad"><strong>NOT READY</strong> <span>at stage host; of the required rules: 1 failed, 1 could not be judged, 1 waiting for others, 1 passed</span></p>
    <dl class="identity">
    <div><dt>System</dt><dd>Ubuntu 24.04.3 LTS</dd></div>
    <div><dt>Kernel</dt><dd>6.8.0-60-generic</dd></div>
    <div><dt>CPU</dt><dd>AMD EPYC 9654 96-Core Processor</dd></div>
    <div><dt>Machine</dt><dd>bare metal</dd></div>
    <div><dt>GPUs</dt><dd>8 x NVIDIA H100 SXM5 80GB</dd></div>
    <div><dt>Stage</dt><dd>host (Kata Containers is not installed)</dd></div>
    <div><dt>TEE</dt><dd>snp (the CPU has SEV-SNP)</dd></div>
    </dl>
    <nav aria-label="Parts of the report"><ul><li><a href="#now">What to do now</a></li><li><a href="#stages">Stages</a></li><li><a href="#findings">Findings</a></li><li><a href="#facts">Facts</a></li><li><a href="#about">About this report</a></li></ul></nav>
    </header>
    <main>
    <section id="now">
    <h2>What to do now</h2>
    <p>Mend the first cause: <a href="#rule-root"><code>root</code></a>, root is wrong.</p>
    <p>Do it.</p>
    <pre><code>a &lt;b&gt;</code></pre>
    </section>
    <section id="stages">
    <h2>Stages</h2>
    <table class="stages">
    <thead><tr><th scope="col">Stage</th><th scope="col">Result</th><th scope="col">Rules</th></tr></thead>
    <tbody>
    <tr><th scope="row">host</th><td><span class="badge bad">FAIL</span></td><td>1 passed, 1 failed, 1 unknown, 1 waiting</td></tr>
    <tr><th scope="row">kata</th><td><span class="badge faint">LATER</span></td><td>not judged: the host is not at this stage</td></tr>
    <tr><th scope="row">operator</th><td><span class="badge faint">LATER</span></td><td>not judged: the host is not at this stage</td></tr>
    <tr><th scope="row">workload</th><td><span class="badge faint">LATER</span></td><td>not judged: the host is not at this stage</td></tr>
    </tbody>
    </table>
    </section>
    "##);
    assert!(rest.contains("<summary>1 rule waits for this</summary>"), "{rest}");
    assert!(rest.contains("a failure would show as: it &amp; breaks"), "{rest}");
    assert!(!rest.contains("<svg"), "nothing was read that could be drawn");
    assert!(rest.contains("<time datetime=\"2025-11-26T00:00:00Z\">"), "{rest}");
    assert!(rest.contains("Exit code of <code>check</code>: 1</li>"), "{rest}");
}

#[test]
fn what_to_do_now_fits_the_verdict() {
    let now = |text: &str| {
        let page = page(text, |_| {});
        let now = page.split("<section id=\"now\">").nth(1).unwrap();
        now.split("</section>").next().unwrap().to_owned()
    };
    let good = rule("a", &of("bool.true", ""));
    assert!(now(&good).contains("Nothing has to be done for stage host."));
    let advised = good + &rule("b", &of("bool.false", "severity = \"recommended\""));
    assert!(now(&advised).contains("1 recommendation is not met"));
    let hidden = rule("a", &of("bool.unreadable", ""));
    assert!(now(&hidden).contains("on the machine itself as root"), "{}", now(&hidden));
    let reboot = rule("a", &of("bool.false", "resolved-by = \"reboot\""));
    assert!(now(&reboot).contains("reboot it, then judge it again"), "{}", now(&reboot));
    let nothing = rule("a", &of("bool.true", "severity = \"info\""));
    assert!(now(&nothing).contains("answers the question"), "{}", now(&nothing));
}

#[test]
fn no_text_of_host_or_rule_becomes_markup() {
    let text = rule(
        "bad",
        "severity = \"info\"\ndocs = [\"javascript:alert(1)\", \"https://a.test/\\\"onclick=x\"]\n\
         expect = [{ fact = \"text.hostile\", equals = \"<img src=x>\" }]",
    );
    let page = page(&text, |report| {
        report.header.host = "</title><script>alert(1)</script>\u{202e}\u{1b}[2J".to_owned();
        report.header.gpus = Some("<b onmouseover='x'>".to_owned());
    });
    assert!(!page.contains("<script"), "{page}");
    assert!(!page.contains("<img"), "{page}");
    assert!(!page.contains("<b onmouseover"), "{page}");
    assert!(!page.contains("href=\"javascript:"), "{page}");
    assert!(page.contains("href=\"https://a.test/&quot;onclick=x\""), "{page}");
    assert!(page.contains("&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}\\x1b[2J"));
    let raw = |c: char| crate::report::visible::is_treacherous(c) && c != '\n';
    assert!(!page.contains(raw));
}

/// By the formula of WCAG 2.1: red, green and blue made linear, then weighed.
fn luminance(colour: &str) -> f64 {
    let channel = |place: usize| {
        let value = u8::from_str_radix(&colour[place..place + 2], 16).unwrap();
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_stands_out_from_what_is_behind_it() {
    assert!((contrast("#ffffff", "#000000") - 21.0).abs() < 0.01);
    let schemes: Vec<BTreeMap<&str, &str>> = STYLE
        .split(":root {")
        .skip(1)
        .map(|rest| {
            let block = rest.split('}').next().unwrap();
            let declared = block.split(';').filter_map(|it| it.trim().split_once(": "));
            declared.filter(|(name, _)| name.starts_with("--")).collect()
        })
        .collect();
    assert_eq!(schemes.len(), 3, "light, dark and print");
    for scheme in schemes {
        let mut pairs = vec![("--text", "--code"), ("--link", "--code")];
        for behind in ["--back", "--card"] {
            pairs.extend([("--text", behind), ("--faint", behind), ("--link", behind)]);
        }
        for (own, behind) in [
            ("--bad", "--bad-back"),
            ("--good", "--good-back"),
            ("--advised", "--advised-back"),
            ("--unsure", "--unsure-back"),
            ("--note", "--note-back"),
        ] {
            pairs.extend([(own, behind), ("--text", behind)]);
        }
        for (text, behind) in pairs {
            let ratio = contrast(scheme[text], scheme[behind]);
            assert!(ratio >= 4.5, "{text} on {behind}: {ratio}");
        }
    }
}
