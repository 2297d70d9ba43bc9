//! Which zxid of one server corresponds to which of the other.

use std::collections::BTreeMap;

/// A growing, strictly monotone mapping: equal zxids on one side are equal on the other, and their
/// order is the same.
#[derive(Debug, Default)]
pub(crate) struct Relation {
    forth: BTreeMap<i64, i64>,
    back: BTreeMap<i64, i64>,
}

impl Relation {
    /// Whether these two can be the same change, given all earlier pairs. If so, they are from now
    /// on.
    pub(crate) fn same(&mut self, left: i64, right: i64) -> bool {
        if let Some(&known) = self.forth.get(&left) {
            return known == right;
        }
        if self.back.contains_key(&right) {
            return false;
        }
        let below = self.forth.range(..left).next_back();
        let above = self.forth.range(left..).next();
        if below.is_some_and(|(_, &known)| known > right)
            || above.is_some_and(|(_, &known)| known < right)
        {
            return false;
        }
        self.forth.insert(left, right);
        self.back.insert(right, left);
        true
    }

    /// Whether the last known change up to these two is the same.
    ///
    /// For zxids of answers that changed nothing: they also count refused writes, and changes of
    /// other scripts.
    pub(crate) fn same_floor(&self, left: i64, right: i64) -> bool {
        let floor =
            |map: &BTreeMap<i64, i64>, zxid| map.range(..=zxid).next_back().map(|(&own, _)| own);
        let expected = floor(&self.forth, left).map(|own| self.forth[&own]);
        expected == floor(&self.back, right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zxid_stands_for_one_other_and_order_is_kept() {
        let mut relation = Relation::default();
        assert!(relation.same(10, 100));
        assert!(relation.same(20, 200));
        assert!(relation.same(10, 100));
        assert!(!relation.same(10, 200), "two for one");
        assert!(!relation.same(11, 100), "one for two");
        assert!(!relation.same(5, 150), "another order");
        assert!(!relation.same(15, 250), "another order");
        assert!(relation.same(15, 101));
    }

    #[test]
    fn what_changed_nothing_is_compared_by_the_last_change_before() {
        let mut relation = Relation::default();
        assert!(relation.same(10, 100));
        assert!(relation.same_floor(14, 100));
        assert!(relation.same_floor(10, 107));
        assert!(relation.same_floor(3, 99), "both before all");
        assert!(!relation.same_floor(9, 100));
        assert!(relation.same(12, 101));
        assert!(!relation.same_floor(14, 100));
    }
}
