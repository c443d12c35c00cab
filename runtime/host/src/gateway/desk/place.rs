//! Which bus somebody means who names an alarm without one.

use super::{Desk, Key};
use crate::error::HostError;
use std::collections::BTreeSet;

/// What is known of the buses of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Buses {
    /// No instance answers.
    Unknown,
    /// It has one, which has no name.
    One,
    /// Their names, and whether the source in question hangs on it.
    Several(Vec<(String, bool)>),
}

impl Desk {
    /// The bus of an alarm that somebody wants to shelve, who may name it or not; empty where the machine has one.
    ///
    /// # Errors
    /// [`HostError::Usage`] where there is no such bus, or several and nobody knows which: an alarm that was shelved nowhere would go on.
    pub fn bus_of(
        &self,
        named: Option<&str>,
        (source, channel): (&str, &str),
        buses: &Buses,
    ) -> Result<String, HostError> {
        let known = self.buses_where(|_| true);
        let mut names: BTreeSet<String> = known.into_iter().filter(|bus| !bus.is_empty()).collect();
        match buses {
            Buses::Several(all) => names.extend(all.iter().map(|(name, _)| name.clone())),
            Buses::One | Buses::Unknown => {}
        }
        let list = || names.iter().cloned().collect::<Vec<_>>().join(", ");
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            return match (names.contains(named), buses, names.is_empty()) {
                (true, ..) | (false, Buses::Unknown, _) => Ok(named.to_owned()),
                (false, _, true) => Err(HostError::usage(
                    format!("this machine has one bus, and it is not called '{named}'"),
                    "leave `bus` out",
                )),
                (false, _, false) => Err(HostError::usage(
                    format!("no bus is called '{named}'"),
                    format!("name one of these with `bus`: {}", list()),
                )),
            };
        }
        // What is left of a time with several buses is nobody's now.
        if *buses == Buses::One {
            return Ok(String::new());
        }
        let mut found = self.buses_where(|key| (&*key.1, &*key.2) == (source, channel));
        // A shelf of before there were buses says nothing of where the alarm is.
        found.remove("");
        if found.len() > 1 {
            return Err(HostError::usage(
                format!("'{source}' has this alarm on several buses"),
                format!(
                    "name one with `bus`: {}",
                    found.into_iter().collect::<Vec<_>>().join(", ")
                ),
            ));
        }
        if let Some(bus) = found.pop_first() {
            return Ok(bus);
        }
        match buses {
            Buses::Unknown if names.is_empty() => Ok(String::new()),
            Buses::Several(all) if all.iter().filter(|(_, has)| *has).count() == 1 => {
                let mut has = all.iter().filter(|(_, has)| *has);
                Ok(has.next().map_or_else(String::new, |(bus, _)| bus.clone()))
            }
            _ => Err(HostError::usage(
                format!(
                    "this machine has several buses, and none is known to have '{source} {channel}'"
                ),
                format!("name one with `bus`: {}", list()),
            )),
        }
    }

    /// The bus of what somebody wants to take off the shelf, who may name it or not. The empty name is that of a shelf without a bus, which was
    /// made before there were several: it alone is meant then.
    ///
    /// # Errors
    /// As [`Self::bus_of`].
    pub fn bus_off_shelf(
        &self,
        named: Option<&str>,
        (source, channel): (&str, &str),
        buses: &Buses,
    ) -> Result<String, HostError> {
        let there = match named {
            Some("") => Some(String::new()),
            Some(_) => None,
            None => self.bus_on_shelf(source, channel),
        };
        there.map_or_else(|| self.bus_of(named, (source, channel), buses), Ok)
    }

    /// The bus of something on the shelf, for who names none; none where nothing of that name is there on one alone.
    pub(super) fn bus_on_shelf(&self, source: &str, channel: &str) -> Option<String> {
        self.with(|state| {
            let same = |key: &&Key| (&*key.1, &*key.2) == (source, channel);
            let mut buses = state.shelves.keys().filter(same).map(|key| key.0.clone());
            let first = buses.next();
            first.filter(|_| buses.next().is_none())
        })
    }

    /// The buses of what is on the list or on the shelf.
    fn buses_where(&self, wanted: impl Fn(&Key) -> bool) -> BTreeSet<String> {
        self.with(|state| {
            let keys = state.alarms.keys().chain(state.shelves.keys());
            keys.filter(|key| wanted(key))
                .map(|key| key.0.clone())
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::desk;
    use super::*;

    fn two(front: bool, rear: bool) -> Buses {
        Buses::Several(vec![("front".to_owned(), front), ("rear".to_owned(), rear)])
    }

    #[test]
    fn who_names_no_bus_of_several_is_told_which_there_are() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(folder.path());
        let of = |named, buses: &Buses| {
            let found = desk.bus_of(named, ("lift", "ripple"), buses);
            found.map_err(|error| error.in_a_line())
        };
        for (named, buses, bus) in [
            (None, Buses::One, ""),
            (Some(""), Buses::One, ""),
            (None, Buses::Unknown, ""),
            (Some("rear"), Buses::Unknown, "rear"),
            (Some("rear"), two(false, false), "rear"),
            // The source says where it is.
            (None, two(false, true), "rear"),
        ] {
            assert_eq!(of(named, &buses).unwrap(), bus, "{named:?} {buses:?}");
        }
        for (named, buses, said) in [
            (None, two(false, false), "front, rear"),
            (Some(""), two(true, true), "front, rear"),
            (Some("roof"), two(true, false), "front, rear"),
            (Some("rear"), Buses::One, "leave `bus` out"),
        ] {
            let error = of(named, &buses).unwrap_err();
            assert!(error.contains(said), "{named:?} {buses:?}: {error}");
        }
        // With nobody there to ask, the list says that there are several.
        desk.shelve(("rear", "ram", "ripple"), 60, "eva", "")
            .unwrap();
        assert!(of(None, &Buses::Unknown).unwrap_err().contains("rear"));
        desk.shelve(("rear", "lift", "ripple"), 60, "eva", "")
            .unwrap();
        assert_eq!(of(None, &Buses::Unknown).unwrap(), "rear");
        assert_eq!(of(None, &Buses::One).unwrap(), "");
        assert_eq!(desk.bus_on_shelf("lift", "ripple").as_deref(), Some("rear"));
        assert_eq!(desk.bus_on_shelf("lift", "drive_state"), None);
    }

    #[test]
    fn a_shelf_without_a_bus_is_taken_off_alone() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(folder.path());
        let name = ("lift", "ripple");
        for bus in ["", "rear"] {
            desk.shelve((bus, name.0, name.1), 60, "eva", "").unwrap();
        }
        let off = |named: Option<&str>| {
            let bus = desk.bus_off_shelf(named, name, &two(false, true)).unwrap();
            assert!(desk.unshelve((&bus, name.0, name.1), "eva").unwrap());
            let left = desk.shelves().into_iter().map(|shelf| shelf.bus);
            left.collect::<Vec<_>>()
        };
        assert_eq!(off(Some("")), ["rear"]);
        desk.shelve(("", name.0, name.1), 60, "eva", "").unwrap();
        // Who names the bus, or none, means what the alarm is on the shelf by: all of it.
        assert!(off(None).is_empty());
        desk.shelve(("rear", name.0, name.1), 60, "eva", "")
            .unwrap();
        assert!(off(None).is_empty());
        desk.shelve(("", name.0, name.1), 60, "eva", "").unwrap();
        assert!(off(None).is_empty());
    }
}
