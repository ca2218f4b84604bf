//! What a rule depends on, and what depends on it, through all others between.

use std::collections::HashSet;
use std::sync::Arc;

use super::rule::Rule;
use super::set::RuleSet;

impl RuleSet {
    /// The rules that one needs, and those that these need, in order.
    pub fn causes(&self, id: &str) -> Vec<&Arc<Rule>> {
        let mut wanted: HashSet<&str> = self.get(id).into_iter().flat_map(|it| needs(it)).collect();
        // A rule needs only rules before it.
        for rule in self.rules().iter().rev() {
            if wanted.contains(&*rule.id) {
                wanted.extend(needs(rule));
            }
        }
        self.rules().iter().filter(|rule| wanted.contains(&*rule.id)).collect()
    }

    /// The rules that need one, and those that need these, in order.
    pub fn consequences(&self, id: &str) -> Vec<&Arc<Rule>> {
        let mut reached: HashSet<&str> = HashSet::from([id]);
        let mut found = Vec::new();
        for rule in self.rules() {
            if needs(rule).any(|needed| reached.contains(needed)) {
                reached.insert(&rule.id);
                found.push(rule);
            }
        }
        found
    }
}

fn needs(rule: &Rule) -> impl Iterator<Item = &str> {
    rule.needs.iter().map(|id| &**id)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{rule, rules};

    #[test]
    fn causes_and_consequences_reach_through_others() {
        let expect = "expect = [{ fact = \"bool.true\", equals = true }]";
        let of = |id: &str, needs: &str| rule(id, &format!("needs = [{needs}]\n{expect}"));
        let rules = rules(
            &(rule("a", expect)
                + &rule("b", expect)
                + &of("c", "\"a\"")
                + &of("d", "\"c\", \"b\"")
                + &of("e", "\"b\"")),
        );
        let ids = |found: Vec<&std::sync::Arc<super::Rule>>| {
            found.iter().map(|rule| rule.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ids(rules.causes("d")), "a b c");
        assert_eq!(ids(rules.causes("a")), "");
        assert_eq!(ids(rules.consequences("a")), "c d");
        assert_eq!(ids(rules.consequences("b")), "d e");
        assert_eq!(ids(rules.consequences("d")), "");
        assert_eq!(ids(rules.consequences("unknown")), "");
    }
}
