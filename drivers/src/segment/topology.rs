//! Who hangs where, in which order a frame passes, and when: the cable between SubDevices.
//!
//! A frame comes in at port 0. It goes through the processing unit, then out at port 3, and when it is back, out at port 1,
//! then at port 2, then back at port 0. A port that nobody hangs at is left out. Positions are in this order, so those that
//! hang behind a SubDevice follow it without a gap.
//!
//! ```text
//!   0 ---> [unit] --3--> subtree --> 1--> subtree --> 2--> subtree --> 0
//! ```

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
}

impl Topology {
    /// From the port that each hangs at: (position of the SubDevice, port), none for port 1 of the one before it. Hooks that
    /// are not in the order of the wire hang like that too.
    pub fn new(hooks: &[Option<(usize, usize)>]) -> Self {
        let count = hooks.len();
        let mut topology = Self {
            children: vec![[None; PORTS]; count],
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
        topology
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
