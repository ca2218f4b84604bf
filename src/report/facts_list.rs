//! Which facts there are: the names that rules, `--assume` and `explain` take. No host is read for it.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::page::{Ink, Look, Page};
use crate::facts::Kind;
use crate::facts::catalogue::{self, Collection};

/// One line for each fact of the host, then for each sort of members; lines are never broken, so that they
/// can be searched. Collections of the same sort share their facts, which are listed once.
pub fn render(wanted: impl Fn(&str) -> bool, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Page::new(out, look);
    let facts: Vec<_> = catalogue::facts().filter(|fact| wanted(fact.name)).collect();
    let rows = facts.iter().map(|it| (it.name, it.kind, it.volatile(), it.doc));
    table(&mut page, &rows.collect::<Vec<_>>())?;
    let collections: Vec<_> = catalogue::collections().filter(|it| wanted(it.name)).collect();
    for (place, collection) in collections.iter().enumerate() {
        let same = |other: &&Collection| std::ptr::eq(other.facts, collection.facts);
        if place > 0 || !facts.is_empty() {
            page.blank()?;
        }
        let text = format!(": each {}: {}", collection.item, collection.doc);
        page.verbatim(0, &[(Ink::Strong, collection.name), (Ink::Plain, &text)])?;
        if let Some(first) = collections.iter().take(place).copied().find(same) {
            page.verbatim(2, &[(Ink::Faint, &format!("the same facts as {}", first.name))])?;
            continue;
        }
        let rows = collection.facts.iter().map(|it| (it.name, it.kind, it.volatile(), it.doc));
        table(&mut page, &rows.collect::<Vec<_>>())?;
    }
    Ok(())
}

type Row<'r> = (&'r str, Kind, Option<&'r str>, &'r str);

fn table(page: &mut Page<'_>, rows: &[Row<'_>]) -> io::Result<()> {
    let widest = rows.iter().map(|(name, ..)| name.width()).max().unwrap_or(0);
    for (name, kind, volatile, doc) in rows {
        let kind = format!("{:1$}  {2:12}  ", "", widest - name.width(), kind.name());
        let volatile = volatile.map(|why| format!(" [volatile: {why}]")).unwrap_or_default();
        page.verbatim(
            2,
            &[(Ink::Strong, name), (Ink::Plain, &kind), (Ink::Plain, doc), (Ink::Faint, &volatile)],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_is_listed_and_the_volatile_ones_say_so() {
        let mut out = Vec::new();
        render(|_| true, Look::default(), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        for fact in catalogue::facts() {
            let line = text.lines().find(|it| it.split_whitespace().next() == Some(fact.name));
            let line = line.unwrap_or_else(|| panic!("{}", fact.name));
            assert!(line.contains(fact.doc), "{line}");
        }
        let volatile: Vec<&str> = text.lines().filter(|it| it.contains("[volatile: ")).collect();
        assert!(volatile.iter().any(|line| line.contains("memory.available")), "{volatile:?}");
        assert!(volatile.iter().any(|line| line.contains("link-speed")), "{volatile:?}");
    }
}
