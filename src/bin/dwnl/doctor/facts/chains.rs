//! The chains of all programs.

use dwnl::model::{ChainPath, Family, Hook, KernelChain, KernelRuleset, Name, TablePath};

/// The tables that iptables reads.
const IPTABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];

/// A table and one of its chains with its name.
type Chain<'a> = (&'a TablePath, &'a Name, &'a KernelChain);

/// The chains of all programs.
#[derive(Clone, Debug, Default)]
pub struct Chains(pub KernelRuleset);

impl Chains {
    /// Whether there is a table of this name, in any family.
    pub fn has_table(&self, table: &str) -> bool {
        self.0.tables.keys().any(|path| &*path.table == table)
    }

    /// Whether a table of iptables has a chain whose name begins so.
    pub fn has_chain(&self, prefix: &str) -> bool {
        self.of_iptables().any(|(_, name, _)| name.starts_with(prefix))
    }

    /// The names of the chains of iptables that lead to one whose name begins so.
    pub fn leading_to<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let leads = move |chain: &KernelChain| {
            let mut targets = chain.rules.iter().filter_map(|rule| rule.target());
            targets.any(|target| target.starts_with(prefix))
        };
        self.of_iptables().filter(move |(_, _, chain)| leads(chain)).map(|(_, name, _)| &**name)
    }

    /// The hooks of the base chains of the tables of this name.
    pub fn hooks<'a>(&'a self, table: &'a str) -> impl Iterator<Item = Hook> {
        let chains = self.all().filter(move |(path, _, _)| &*path.table == table);
        chains.filter_map(|(_, _, chain)| chain.base.as_ref().map(|base| base.hook))
    }

    /// Whether the chain of this name in the table `filter` of a family has the policy `drop`.
    pub fn drops(&self, family: Family, chain: &str) -> bool {
        let base = self.filter(family, chain).and_then(|chain| chain.base.as_ref());
        base.is_some_and(|base| base.drops)
    }

    /// Whether a rule of the chain of this name in `ip filter` has this word.
    pub fn mentions(&self, chain: &str, word: &str) -> bool {
        let rules = self.filter(Family::Ip, chain).into_iter().flat_map(|chain| &chain.rules);
        rules.map(ToString::to_string).any(|rule| rule.split(' ').any(|it| it == word))
    }

    fn filter(&self, family: Family, chain: &str) -> Option<&KernelChain> {
        let table = TablePath { family, table: "filter".into() };
        self.0.chain(&ChainPath { table, chain: chain.into() })
    }

    fn of_iptables(&self) -> impl Iterator<Item = Chain<'_>> {
        let is_read =
            |path: &TablePath| path.family != Family::Inet && IPTABLES.contains(&&*path.table);
        self.all().filter(move |(path, _, _)| is_read(path))
    }

    fn all(&self) -> impl Iterator<Item = Chain<'_>> {
        let tables = self.0.tables.iter();
        tables.flat_map(|(path, table)| table.chains.iter().map(move |(name, it)| (path, name, it)))
    }
}
