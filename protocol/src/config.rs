//! The shape of a cohort: its groups, their thresholds, and what they guarantee.
//!
//! A cohort of `N` slots is split into `N / W` groups of `W` contiguous slots, `W` a power of two.
//! A group of `n` members (its occupied slots) has a threshold `t`, a floor `F` on the members that
//! post, and a number `c` of members that may be corrupt. The masking graph of a group is complete.
//!
//! - `2t > (n - 1) + c` keeps the aggregator from collecting both secrets of one member. `t` is
//!   fixed from the full `n`; a member that is missing in setup counts as dropped.
//! - With an agreed survivor digest (modes chain and strict) a sum holds at least `F - c` honest
//!   members. Without one (mode curious) it holds only `n - floor((n - c)(n - F) / (t - c)) - c`:
//!   each member called dead takes `t - c` honest votes and each honest member casts at most `n - F`.
//! - `n * (2^(b - 1) + noise) < 2^31` keeps a group's sum from wrapping.

use std::fmt;

use blindsum_engine::roster::{Bitmap, CohortSize};

use crate::error::ConfigError;

/// How a client knows that everyone releases shares for the same survivors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mode {
    /// The digest is the one on a chain that the client reads by a provider of its own.
    Chain = 1,
    /// More than half of the cohort, corrupt members counted out, signed the digest: a fourth exchange.
    Strict = 2,
    /// Neither. Promises nothing against an aggregator that lies about the survivors, beyond the
    /// smaller number that [`Group::guaranteed_honest`] gives, and nothing against one that colludes
    /// with a participant about the published sum.
    Curious = 3,
}

impl Mode {
    /// The mode of a number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Chain),
            2 => Some(Self::Strict),
            3 => Some(Self::Curious),
            _ => None,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "chain",
            Self::Strict => "strict",
            Self::Curious => "curious",
        })
    }
}

/// The numbers of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupConfig {
    /// `t`: good shares that open a secret.
    pub threshold: u16,
    /// `F`: members that must have posted before anybody releases.
    pub floor: u16,
    /// `c`: members assumed corrupt.
    pub corrupt: u16,
}

/// One group of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Its number, from 0.
    pub index: usize,
    /// Its members: the occupied slots of its range.
    pub members: Bitmap,
    /// `n`: the number of members.
    pub n: u16,
    /// `t`.
    pub threshold: u16,
    /// `F`.
    pub floor: u16,
    /// `c`.
    pub corrupt: u16,
}

impl Group {
    /// The number that must have posted: `max(F, t + 1)`.
    #[must_use]
    pub fn effective_floor(&self) -> u16 {
        self.floor.max(self.threshold + 1)
    }

    /// The honest members that are in any sum this group opens, in `mode`.
    #[must_use]
    pub fn guaranteed_honest(&self, mode: Mode) -> u16 {
        let (n, t, c) = (u32::from(self.n), u32::from(self.threshold), u32::from(self.corrupt));
        let floor = u32::from(self.effective_floor());
        let guaranteed = match mode {
            Mode::Chain | Mode::Strict => floor.saturating_sub(c),
            Mode::Curious => {
                let removable =
                    ((n - c) * n.saturating_sub(floor)).checked_div(t.saturating_sub(c)).unwrap_or(n);
                n.saturating_sub(removable).saturating_sub(c)
            }
        };
        guaranteed as u16
    }
}

/// The checked shape of a cohort.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortConfig {
    size: CohortSize,
    width: u16,
    mode: Mode,
    occupied: Bitmap,
    groups: Vec<GroupConfig>,
}

impl CohortConfig {
    /// A cohort of `size` slots in groups of `width`, with one entry of `groups` a group.
    ///
    /// # Errors
    /// [`ConfigError`] names the group and the rule, with the numbers that break it.
    pub fn new(
        size: CohortSize,
        width: u16,
        mode: Mode,
        occupied: Bitmap,
        groups: Vec<GroupConfig>,
    ) -> Result<Self, ConfigError> {
        let slots = size.slots() as u16;
        if !width.is_power_of_two() || !(4..=slots).contains(&width) {
            return Err(ConfigError::Width { width, slots });
        }
        if let Some(slot) = occupied.iter().find(|slot| u16::from(*slot) >= slots) {
            return Err(ConfigError::OccupiedBeyond { slot, slots });
        }
        let expected = usize::from(slots / width);
        if groups.len() != expected {
            return Err(ConfigError::GroupCount { expected, got: groups.len() });
        }
        let config = Self { size, width, mode, occupied, groups };
        (0..expected).try_for_each(|index| check_group(&config.group(index)))?;
        Ok(config)
    }

    /// A cohort whose groups all have the same numbers.
    ///
    /// # Errors
    /// As [`CohortConfig::new`].
    pub fn uniform(
        size: CohortSize,
        width: u16,
        mode: Mode,
        occupied: Bitmap,
        group: GroupConfig,
    ) -> Result<Self, ConfigError> {
        let count = size.slots().checked_div(usize::from(width)).unwrap_or(0);
        Self::new(size, width, mode, occupied, vec![group; count])
    }

    /// `N`.
    #[must_use]
    pub fn size(&self) -> CohortSize {
        self.size
    }

    /// `W`.
    #[must_use]
    pub fn width(&self) -> u16 {
        self.width
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The slots that hold a client.
    #[must_use]
    pub fn occupied(&self) -> Bitmap {
        self.occupied
    }

    /// `N / W`.
    #[must_use]
    pub fn n_groups(&self) -> usize {
        self.groups.len()
    }

    /// The numbers of every group, in order.
    #[must_use]
    pub fn group_configs(&self) -> &[GroupConfig] {
        &self.groups
    }

    /// The group of number `index`.
    ///
    /// # Panics
    /// If there is no such group.
    #[must_use]
    pub fn group(&self, index: usize) -> Group {
        let GroupConfig { threshold, floor, corrupt } = self.groups[index];
        let width = usize::from(self.width);
        let members = Bitmap::range(index * width, width).intersection(&self.occupied);
        Group { index, members, n: members.count() as u16, threshold, floor, corrupt }
    }

    /// Every group, in order.
    pub fn groups(&self) -> impl Iterator<Item = Group> + '_ {
        (0..self.groups.len()).map(|index| self.group(index))
    }

    /// The group that holds `slot`; `None` if the slot is empty or beyond the cohort.
    #[must_use]
    pub fn group_of(&self, slot: u8) -> Option<Group> {
        self.occupied.get(slot).then(|| self.group(usize::from(slot) / usize::from(self.width)))
    }

    /// The other members of the group of `slot`, in slot order; empty if the slot holds no client.
    #[must_use]
    pub fn peers(&self, slot: u8) -> Vec<u8> {
        self.group_of(slot)
            .map_or_else(Vec::new, |group| group.members.iter().filter(|peer| *peer != slot).collect())
    }

    /// `m`: the clients of the cohort.
    #[must_use]
    pub fn n_clients(&self) -> usize {
        self.occupied.count()
    }

    /// `c_m`: the corrupt clients assumed in the cohort.
    #[must_use]
    pub fn n_corrupt(&self) -> usize {
        self.groups.iter().map(|group| usize::from(group.corrupt)).sum()
    }

    /// The least number of digest signatures that is more than `(m + c_m) / 2`.
    #[must_use]
    pub fn strict_quorum(&self) -> usize {
        (self.n_clients() + self.n_corrupt()) / 2 + 1
    }

    /// Refuses a number of bits per coordinate, and a bound of one client's noise, with which a
    /// group's sum could wrap.
    ///
    /// # Errors
    /// [`ConfigError::WordOverflow`], with the formula.
    pub fn check_words(&self, bits: u8, noise: u32) -> Result<(), ConfigError> {
        let n = self.groups().map(|group| group.n).max().unwrap_or(0);
        let half = 1u64.checked_shl(u32::from(bits).saturating_sub(1)).unwrap_or(u64::MAX);
        let product = half.saturating_add(noise.into()).saturating_mul(u64::from(n));
        if product >= 1 << 31 { Err(ConfigError::WordOverflow { n, bits, noise, product }) } else { Ok(()) }
    }
}

fn check_group(group: &Group) -> Result<(), ConfigError> {
    let Group { index, n, threshold, floor, corrupt, .. } = *group;
    if n < 3 {
        return Err(ConfigError::SmallGroup { group: index, n });
    }
    if !(2..n).contains(&threshold) {
        return Err(ConfigError::Threshold { group: index, threshold, max: n - 1 });
    }
    if 2 * u32::from(threshold) <= u32::from(n - 1) + u32::from(corrupt) {
        return Err(ConfigError::DoubleCollection { group: index, threshold, n, corrupt });
    }
    // From here on c < t: 2t <= 2(n - 1), so c < n - 1 and 2t > (n - 1) + c > 2c.
    if floor <= corrupt || floor > n {
        return Err(ConfigError::Floor { group: index, floor, min: corrupt + 1, n });
    }
    Ok(())
}

impl fmt::Display for CohortConfig {
    /// One line for the cohort and one a group, with the number that the mode guarantees.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} mode, {} slots, {} clients, {} groups of width {}",
            self.mode,
            self.size,
            self.n_clients(),
            self.n_groups(),
            self.width
        )?;
        for group in self.groups() {
            let Group { index, n, threshold, floor, corrupt, .. } = group;
            let honest = group.guaranteed_honest(self.mode);
            write!(
                f,
                "group {index}: n = {n}, t = {threshold}, F = {floor}, c = {corrupt}: at least {honest} honest members in a sum"
            )?;
            if self.mode == Mode::Curious {
                let agreed = group.guaranteed_honest(Mode::Strict);
                write!(f, " (no agreed digest; {agreed} with one)")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_group(
        n: usize,
        t: u16,
        floor: u16,
        corrupt: u16,
        mode: Mode,
    ) -> Result<CohortConfig, ConfigError> {
        let size = if n <= 16 { CohortSize::N16 } else { CohortSize::N64 };
        let group = GroupConfig { threshold: t, floor, corrupt };
        CohortConfig::uniform(size, size.slots() as u16, mode, Bitmap::range(0, n), group)
    }

    /// The examples of the design review, section 2.1.
    #[test]
    fn the_curious_guarantee_is_the_reviews() {
        for (floor, honest) in [(58, 47), (43, 18), (37, 6)] {
            let config = one_group(64, 36, floor, 6, Mode::Curious).unwrap();
            assert_eq!(config.group(0).guaranteed_honest(Mode::Curious), honest, "F = {floor}");
            assert_eq!(config.group(0).guaranteed_honest(Mode::Chain), floor - 6);
        }
    }

    #[test]
    fn each_rule_is_refused_by_name() {
        let chain = Mode::Chain;
        assert!(one_group(16, 10, 12, 3, chain).is_ok());
        assert!(matches!(one_group(16, 9, 12, 3, chain), Err(ConfigError::DoubleCollection { n: 16, .. })));
        assert!(matches!(one_group(16, 16, 16, 0, chain), Err(ConfigError::Threshold { max: 15, .. })));
        assert!(matches!(one_group(3, 1, 3, 0, chain), Err(ConfigError::Threshold { .. })));
        assert!(matches!(one_group(2, 1, 2, 0, chain), Err(ConfigError::SmallGroup { n: 2, .. })));
        assert!(matches!(one_group(16, 10, 17, 3, chain), Err(ConfigError::Floor { .. })));
        assert!(matches!(one_group(16, 10, 3, 3, chain), Err(ConfigError::Floor { min: 4, .. })));
        let group = GroupConfig { threshold: 10, floor: 12, corrupt: 3 };
        for width in [0, 2, 12, 32] {
            let refused = CohortConfig::uniform(CohortSize::N16, width, chain, Bitmap::range(0, 16), group);
            assert!(matches!(refused, Err(ConfigError::Width { .. })), "width {width}");
        }
        let beyond = CohortConfig::uniform(CohortSize::N16, 16, chain, Bitmap::range(1, 16), group);
        assert_eq!(beyond, Err(ConfigError::OccupiedBeyond { slot: 16, slots: 16 }));
    }

    #[test]
    fn groups_are_contiguous_and_count_their_members() {
        let mut occupied = Bitmap::range(0, 64);
        occupied.set(17, false);
        let group = GroupConfig { threshold: 10, floor: 12, corrupt: 3 };
        let config = CohortConfig::uniform(CohortSize::N64, 16, Mode::Strict, occupied, group).unwrap();
        assert_eq!(config.group_of(31).unwrap().index, 1);
        assert_eq!(config.group_of(31).unwrap().n, 15);
        assert_eq!(config.group_of(17), None);
        assert_eq!(config.peers(16), (18..32).collect::<Vec<u8>>());
        assert_eq!((config.n_clients(), config.n_corrupt(), config.strict_quorum()), (63, 12, 38));
    }

    #[test]
    fn a_sum_that_could_wrap_is_refused_with_the_formula() {
        let config = one_group(64, 36, 50, 6, Mode::Chain).unwrap();
        assert_eq!(config.check_words(25, 0), Ok(()));
        let error = config.check_words(26, 0).unwrap_err();
        assert_eq!(error, ConfigError::WordOverflow { n: 64, bits: 26, noise: 0, product: 1 << 31 });
        assert!(error.to_string().contains("n * (2^(b - 1) + noise) < 2^31"));
        assert!(config.check_words(25, 1 << 24).is_err());
    }

    #[test]
    fn display_prints_the_modes_number() {
        let shown = one_group(64, 36, 43, 6, Mode::Curious).unwrap().to_string();
        assert!(shown.contains("at least 18 honest") && shown.contains("37 with one"), "{shown}");
    }
}
