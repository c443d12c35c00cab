//! The circumstances of a cycle that models and healthy figures may depend on.

use core::fmt;

/// What else there is beside recipe and part. Indexes into the configuration's lists; 0 where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Conditions {
    /// Tool in use.
    pub tool: u8,
    /// Load that is carried.
    pub load: u8,
    /// Band that the temperature is in.
    pub temperature: u8,
}

/// Tool, load and temperature, in this order.
impl From<[u8; 3]> for Conditions {
    fn from([tool, load, temperature]: [u8; 3]) -> Self {
        Self {
            tool,
            load,
            temperature,
        }
    }
}

/// The other way round.
impl From<Conditions> for [u8; 3] {
    fn from(all: Conditions) -> Self {
        [all.tool, all.load, all.temperature]
    }
}

/// The circumstances of the cycle that the models may depend on. Indexes into the configuration's lists.
#[derive(Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Context {
    /// Recipe in force.
    pub recipe: u8,
    /// Part that the recipe says is in the press.
    pub part: u8,
    /// Tool, load and temperature.
    pub conditions: Conditions,
}

impl Context {
    /// Stands for a recipe, a part or a condition that nobody tells, or that the configuration does not have: no list is as long.
    pub const UNKNOWN: u8 = u8::MAX;

    /// With the first tool, load and band, which are those of a machine that has no lists of them.
    pub const fn of(recipe: u8, part: u8) -> Self {
        Self {
            recipe,
            part,
            conditions: Conditions {
                tool: 0,
                load: 0,
                temperature: 0,
            },
        }
    }

    /// Whether recipe and part are told. While one is not, no press is judged.
    pub const fn is_known(self) -> bool {
        self.recipe != Self::UNKNOWN && self.part != Self::UNKNOWN
    }

    /// Whether all of it is told. What is not is missing where something depends on it.
    pub const fn is_whole(self) -> bool {
        let Conditions {
            tool,
            load,
            temperature,
        } = self.conditions;
        self.is_known()
            && tool != Self::UNKNOWN
            && load != Self::UNKNOWN
            && temperature != Self::UNKNOWN
    }

    /// Recipe and part alone: what a press meets depends on nothing else.
    #[must_use]
    pub const fn of_press(self) -> Self {
        Self::of(self.recipe, self.part)
    }

    /// What rows of healthy figures may be of.
    pub const fn factors(self) -> Factors {
        let Conditions {
            tool,
            load,
            temperature,
        } = self.conditions;
        Factors([self.recipe, tool, load, temperature])
    }
}

/// A machine without conditions has the text that it had before there were any: hashes of plans go by it.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Context");
        all.field("recipe", &self.recipe).field("part", &self.part);
        if self.conditions != Conditions::default() {
            all.field("conditions", &self.conditions);
        }
        all.finish()
    }
}

/// How many of them there are.
pub const FACTORS: usize = 4;
/// The words for them, in their order: a row of the first goes before one of the others.
pub const FACTOR_NAMES: [&str; FACTORS] = ["recipe", "tool", "load", "temperature"];

/// What rows of healthy figures may be of: recipe, tool, load, and band of the temperature.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Factors(pub [u8; FACTORS]);

impl Factors {
    /// What is the same in both; anything else is unknown.
    #[must_use]
    pub fn same(self, other: Self) -> Self {
        let mut same = self;
        for (one, other) in same.0.iter_mut().zip(other.0) {
            if *one != other {
                *one = Context::UNKNOWN;
            }
        }
        same
    }

    /// Those with a bit in `named`, and 0 of the others; none where one of them is unknown.
    pub fn known(self, named: u8) -> Option<Self> {
        let mut known = Self::default();
        for (n, (to, from)) in known.0.iter_mut().zip(self.0).enumerate() {
            if named & (1 << n) == 0 {
                continue;
            }
            if from == Context::UNKNOWN {
                return None;
            }
            *to = from;
        }
        Some(known)
    }
}

/// When a row of healthy figures holds: with these alone, and where nothing is named always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Only {
    /// Its recipe.
    pub recipe: Option<u8>,
    /// Its tool.
    pub tool: Option<u8>,
    /// Its load.
    pub load: Option<u8>,
    /// Its band of the temperature.
    pub temperature: Option<u8>,
}

impl Only {
    /// Always.
    pub const ALWAYS: Self = Self {
        recipe: None,
        tool: None,
        load: None,
        temperature: None,
    };

    /// In the order of [`FACTOR_NAMES`].
    pub const fn factors(&self) -> [Option<u8>; FACTORS] {
        [self.recipe, self.tool, self.load, self.temperature]
    }

    /// The other way round.
    pub const fn from_factors(factors: [Option<u8>; FACTORS]) -> Self {
        let [recipe, tool, load, temperature] = factors;
        Self {
            recipe,
            tool,
            load,
            temperature,
        }
    }

    /// A bit for each that is named.
    pub fn named(&self) -> u8 {
        (self.factors().iter().enumerate())
            .fold(0, |bits, (n, one)| bits | (u8::from(one.is_some()) << n))
    }

    /// Whether it holds here.
    pub fn holds(&self, here: Factors) -> bool {
        (self.factors().iter().zip(here.0)).all(|(only, here)| only.is_none_or(|one| one == here))
    }

    /// Whether it holds wherever `other` does: it names nothing else, and perhaps less.
    pub fn holds_within(&self, other: &Self) -> bool {
        (self.factors().into_iter().zip(other.factors()))
            .all(|(only, other)| only.is_none() || only == other)
    }

    /// Of two that hold the one with the smaller rank is taken: that which names more, of as many that of the recipe before that of the
    /// tool, then the load, then the temperature.
    pub fn rank(&self) -> u8 {
        let named = self.named();
        let unnamed = !named & ((1 << FACTORS) - 1);
        // What comes first weighs most.
        let order = unnamed.reverse_bits() >> (u8::BITS as usize - FACTORS);
        ((FACTORS as u8 - named.count_ones() as u8) << FACTORS) | order
    }
}

const _: () = assert!(2 * FACTORS <= u8::BITS as usize);

#[cfg(test)]
mod tests {
    use super::*;

    fn only(factors: [Option<u8>; FACTORS]) -> Only {
        Only::from_factors(factors)
    }

    #[test]
    fn the_row_that_names_most_goes_first_and_of_as_many_that_of_the_recipe() {
        let some = Some(1);
        let order = [
            [some, some, some, some],
            [some, some, some, None],
            [some, some, None, some],
            [some, None, some, some],
            [None, some, some, some],
            [some, some, None, None],
            [some, None, some, None],
            [some, None, None, some],
            [None, some, some, None],
            [None, some, None, some],
            [None, None, some, some],
            [some, None, None, None],
            [None, some, None, None],
            [None, None, some, None],
            [None, None, None, some],
            [None; FACTORS],
        ];
        let ranks: Vec<u8> = order.iter().map(|one| only(*one).rank()).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
        let here = Factors([1; FACTORS]);
        assert!(order.iter().all(|one| only(*one).holds(here)));
        let there = Factors([1, 1, 2, 1]);
        let holding = order.iter().filter(|one| only(**one).holds(there));
        assert_eq!(holding.count(), 8);
        let both = only([some, some, None, None]);
        let less = [[some, None, None, None], [None; FACTORS]];
        assert!(less.iter().all(|one| only(*one).holds_within(&both)));
        assert!(!both.holds_within(&only(less[0])));
        assert!(!only([Some(2), None, None, None]).holds_within(&both));
    }

    #[test]
    fn what_changes_is_unknown_and_so_is_what_nobody_tells() {
        let unknown = Context::UNKNOWN;
        let begun = Factors([1, 2, 3, 4]);
        let ended = begun.same(Factors([1, 2, 0, 4]));
        assert_eq!(ended, Factors([1, 2, unknown, 4]));
        // What no row is of does not matter.
        assert_eq!(ended.known(0b0011), Some(Factors([1, 2, 0, 0])));
        assert_eq!(ended.known(0b0100), None);
        assert_eq!(ended.known(0), Some(Factors::default()));
        let mut context = Context::of(1, 2);
        assert!(context.is_whole());
        context.conditions.load = unknown;
        assert!(context.is_known() && !context.is_whole());
        assert_eq!(context.of_press(), Context::of(1, 2));
        assert_eq!(context.factors(), Factors([1, 0, unknown, 0]));
    }

    #[test]
    fn a_context_without_conditions_has_the_text_that_it_always_had() {
        assert_eq!(
            format!("{:?}", Context::of(1, 2)),
            "Context { recipe: 1, part: 2 }"
        );
        let mut context = Context::of(1, 2);
        context.conditions.tool = 3;
        assert!(format!("{context:?}").contains("tool: 3"));
    }
}
