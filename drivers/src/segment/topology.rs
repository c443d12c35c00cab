//! Who hangs where, in which order a frame passes, and when: the cable between SubDevices.
//!
//! A frame comes in at port 0. It goes through the processing unit, then out at port 3, and when it is back, out at port 1,
//! then at port 2, then back at port 0. A port that nobody hangs at is left out. Positions are in this order, so those that
//! hang behind a SubDevice follow it without a gap.
//!
//! ```text
//!   0 ---> [unit] --3--> subtree --> 1--> subtree --> 2--> subtree --> 0
//! ```
//!
//! With a redundant cable the trunk, which leads from port 1 to port 0 of the next, comes back to the MainDevice's second
//! interface. A frame that comes in there passes the trunk without being processed: the unit lies behind port 0 only. Where
//! port 0 of a SubDevice on its way is closed, it turns there, goes through the unit, and back to where it came from.

use crate::link::Side;

/// Time from one SubDevice to the next (ns): with the way back it makes about 1 us a node.
pub const HOP_NS: u64 = 500;
/// Ports of a controller.
pub const PORTS: usize = 4;
/// Ports that others hang at, in the order that a frame passes them.
const OUT: [usize; 3] = [3, 1, 2];

/// Where a SubDevice stands, as the last survey found it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// When a frame passes the processing unit, after it was sent (ns).
    pub passing_ns: u64,
    /// When it comes in at each port (ns, the same zero); none: the port is closed.
    pub received_ns: [Option<u64>; PORTS],
}

/// The cables.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// SubDevices behind the ports of each.
    children: Vec<[Option<usize>; PORTS]>,
    /// From the first SubDevice on along port 1.
    trunk: Vec<usize>,
}

impl Topology {
    /// From the port that each hangs at: (position of the SubDevice, port), none for port 1 of the one before it. Hooks that
    /// are not in the order of the wire hang like that too.
    pub fn new(hooks: &[Option<(usize, usize)>]) -> Self {
        let count = hooks.len();
        let mut topology = Self {
            children: vec![[None; PORTS]; count],
            trunk: Vec::new(),
        };
        for (at, hook) in hooks.iter().enumerate().skip(1) {
            let (parent, port) = hook
                .filter(|&(parent, port)| parent < at && OUT.contains(&port))
                .unwrap_or((at - 1, 1));
            if let Some(free) = topology
                .children
                .get_mut(parent)
                .and_then(|ports| ports.get_mut(port))
            {
                *free = Some(at);
            }
        }
        let next = |at: &usize| topology.children.get(*at).and_then(|ports| ports[1]);
        let first = (count > 0).then_some(0);
        topology.trunk = core::iter::successors(first, next).collect();
        topology
    }

    /// The SubDevice that a redundant cable is plugged into, at port 1.
    pub fn end(&self) -> Option<usize> {
        self.trunk.last().copied()
    }

    /// The SubDevice that each hangs at.
    pub fn parent(&self, at: usize) -> Option<usize> {
        self.children
            .iter()
            .position(|ports| ports.contains(&Some(at)))
    }

    /// As [`Topology::survey`], with a redundant cable: `cut` of the number of SubDevices says whether that one is. `orders` are
    /// those of frames from either end, the first of them as without it. Returns where each comes out; none: nowhere.
    pub fn survey_ring(
        &self,
        cut: &dyn Fn(usize) -> bool,
        [first, second]: [&mut Vec<usize>; 2],
        places: &mut [Place],
    ) -> [Option<Side>; 2] {
        self.survey(cut, first, places);
        second.clear();
        let enters = (!cut(0)).then_some(Side::Primary);
        let Some(end) = self.end().filter(|_| !cut(self.children.len())) else {
            return [enters, None];
        };
        let Some(gap) = self.trunk.iter().rposition(|&at| cut(at)) else {
            if let Some(last) = places.get_mut(end) {
                last.received_ns[1] = Some(last.passing_ns);
            }
            return [Some(Side::Secondary), Some(Side::Primary)];
        };
        let turns = self.trunk.get(gap).copied().unwrap_or_default();
        let there_ns = (self.trunk.len() - 1 - gap) as u64 * HOP_NS;
        let back_ns = self.visit(turns, there_ns, cut, second, places);
        if let Some(place) = places.get_mut(turns) {
            place.received_ns[0] = None;
        }
        if let Some(last) = places.get_mut(end) {
            last.received_ns[1] = Some(back_ns);
        }
        [enters, Some(Side::Secondary)]
    }

    fn children_of(&self, at: usize) -> impl Iterator<Item = Option<usize>> {
        let ports = self.children.get(at).copied().unwrap_or_default();
        OUT.map(|port| ports.get(port).copied().flatten())
            .into_iter()
    }

    /// Lets a frame pass: who is reached in which order, and when. `cut` says which SubDevices have no cable in front of them.
    pub fn survey(
        &self,
        cut: &dyn Fn(usize) -> bool,
        order: &mut Vec<usize>,
        places: &mut [Place],
    ) {
        order.clear();
        places.fill(Place::default());
        if !self.children.is_empty() && !cut(0) {
            self.visit(0, 0, cut, order, places);
        }
    }

    /// Visits a subtree; returns when the frame leaves it (ns). No deeper than there are SubDevices.
    fn visit(
        &self,
        at: usize,
        mut now_ns: u64,
        cut: &dyn Fn(usize) -> bool,
        order: &mut Vec<usize>,
        places: &mut [Place],
    ) -> u64 {
        order.push(at);
        let mut place = Place {
            passing_ns: now_ns,
            ..Place::default()
        };
        place.received_ns[0] = Some(now_ns);
        for (child, port) in self.children_of(at).zip(OUT) {
            let Some(child) = child.filter(|&child| child > at && !cut(child)) else {
                continue;
            };
            now_ns = self.visit(child, now_ns + HOP_NS, cut, order, places) + HOP_NS;
            place.received_ns[port] = Some(now_ns);
        }
        if let Some(found) = places.get_mut(at) {
            *found = place;
        }
        now_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(topology: &Topology, cut: &[usize]) -> (Vec<usize>, Vec<Place>) {
        let mut order = Vec::new();
        let mut places = vec![Place::default(); topology.children.len()];
        topology.survey(&|at| cut.contains(&at), &mut order, &mut places);
        (order, places)
    }

    #[test]
    fn a_line_comes_back_as_far_as_it_went() {
        let (order, places) = survey(&Topology::new(&[None; 4]), &[]);
        assert_eq!(order, [0, 1, 2, 3]);
        assert_eq!(places[1].passing_ns, 500);
        assert_eq!(places[1].received_ns, [Some(500), Some(2500), None, None]);
        assert_eq!(places[3].received_ns, [Some(1500), None, None, None]);
    }

    #[test]
    fn with_a_redundant_cable_every_part_of_a_broken_ring_is_reached() {
        use Side::{Primary, Secondary};
        let survey = |topology: &Topology, cut: &[usize]| {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            let mut places = vec![Place::default(); topology.children.len()];
            let exits = topology.survey_ring(
                &|at| cut.contains(&at),
                [&mut first, &mut second],
                &mut places,
            );
            (first, second, exits, places)
        };
        let line = Topology::new(&[None; 4]);
        let (first, second, exits, places) = survey(&line, &[]);
        assert_eq!((first.len(), second.len()), (4, 0));
        assert_eq!(exits, [Some(Secondary), Some(Primary)]);
        assert!(places[3].received_ns[1].is_some());
        let (first, second, exits, places) = survey(&line, &[2]);
        assert_eq!((first, second), (vec![0, 1], vec![2, 3]));
        assert_eq!(exits, [Some(Primary), Some(Secondary)]);
        // It comes in at 3, turns at 2, and passes 3 on its way back.
        assert_eq!((places[2].passing_ns, places[3].passing_ns), (500, 1000));
        assert_eq!(places[2].received_ns[0], None);
        let (first, second, exits, _) = survey(&line, &[0]);
        assert_eq!((first, second.len()), (vec![], 4));
        assert_eq!(exits, [None, Some(Secondary)]);
        let (first, second, exits, _) = survey(&line, &[4]);
        assert_eq!((first.len(), second.len()), (4, 0));
        assert_eq!(exits, [Some(Primary), None]);
        // Two breaks: what is between them is out of reach.
        let (first, second, ..) = survey(&line, &[1, 3]);
        assert_eq!((first, second), (vec![0], vec![3]));
        // 1 and 2 hang at port 3 of 0, the trunk goes on with 3.
        let branch = Topology::new(&[None, Some((0, 3)), None, Some((0, 1))]);
        assert_eq!(branch.end(), Some(3));
        assert_eq!(branch.parent(3), Some(0));
        let (first, second, exits, _) = survey(&branch, &[2]);
        assert_eq!((first, second), (vec![0, 1, 3], vec![]));
        assert_eq!(exits, [Some(Secondary), Some(Primary)]);
        let (first, second, ..) = survey(&branch, &[0]);
        assert_eq!((first, second), (vec![], vec![0, 1, 2, 3]));
    }

    #[test]
    fn branches_are_passed_port_by_port() {
        // 0 has 1 at port 3, with 2 behind it; 3 at port 1; 4 at port 2.
        let hooks = [None, Some((0, 3)), None, Some((0, 1)), Some((0, 2))];
        let topology = Topology::new(&hooks);
        let (order, places) = survey(&topology, &[]);
        assert_eq!(order, [0, 1, 2, 3, 4]);
        assert_eq!(
            places[0].received_ns,
            [Some(0), Some(3000), Some(4000), Some(2000)]
        );
        assert_eq!(places[3].passing_ns, 2500);
        // Without 1 the rest is nearer, and port 3 is closed.
        let (order, places) = survey(&topology, &[1]);
        assert_eq!(order, [0, 3, 4]);
        assert_eq!(
            places[0].received_ns,
            [Some(0), Some(1000), Some(2000), None]
        );
        assert_eq!(places[2], Place::default());
        assert_eq!(survey(&topology, &[0]).0, Vec::<usize>::new());
    }

    #[test]
    fn hooks_that_cannot_be_hang_in_line() {
        let topology = Topology::new(&[Some((3, 1)), Some((7, 2)), Some((2, 1)), Some((0, 9))]);
        assert_eq!(survey(&topology, &[]).0, [0, 1, 2, 3]);
        assert_eq!(survey(&Topology::new(&[]), &[]).0, Vec::<usize>::new());
    }
}
