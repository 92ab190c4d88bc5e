//! One drive against others of its model: what is unlike all of them is worth a look, though no limit is broken. Pure.
//!
//! At least three others (its figures are in `rules.toml`), each counted once and only with the same capacity. Everything is held against the
//! median of the others, so that one bad drive among them moves nothing. Throughput and latency are the link's as well:
//! who shared its controller is compared with those that did with about as many, and who had it alone with those that had, each at a link of the same bus
//! and speed. What came near to a limit of pace
//! is in no comparison of them.

use std::collections::BTreeMap;

use super::peer::{PEER_ZONES, Peer};
use super::{Rules, figures};

/// One way in which the drive is unlike the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Unlike {
    /// The metric: `population.throughput`, `.latency`, `.temperature` or `.smart`.
    pub metric: &'static str,
    /// How many zones or counters, how many times the median, or how many degrees above it.
    pub value: f64,
    /// With figures, in words.
    pub figures: String,
}

/// All ways in which `own` is unlike `others`; none where there are too few of them.
pub fn compare(own: &Peer, others: &[Peer]) -> Vec<Unlike> {
    let latest: BTreeMap<&str, &Peer> = others
        .iter()
        .filter(|peer| peer.capacity == own.capacity && peer.drive != own.drive)
        .map(|peer| (peer.drive.as_str(), peer))
        .collect();
    let others: Vec<&Peer> = latest.into_values().collect();
    if others.len() < figures().population_least.value {
        return Vec::new();
    }
    let mut unlike = Vec::new();
    let linked: Vec<&Peer> = others.iter().copied().filter(|peer| own.is_linked_like(peer)).collect();
    let throughput = [
        (
            "writing",
            &own.write,
            linked.iter().map(|p| &p.write).collect::<Vec<_>>(),
        ),
        ("reading", &own.read, linked.iter().map(|p| &p.read).collect()),
    ];
    for (verb, own, others) in throughput {
        unlike.extend(slow(verb, own, &others));
    }
    let of = |pick: fn(&Peer) -> Option<u64>| linked.iter().filter_map(|p| pick(p)).map(|n| n as f64).collect();
    for (verb, own, others) in [
        ("writes", own.write_p99_us, of(|p| p.write_p99_us)),
        ("reads", own.read_p99_us, of(|p| p.read_p99_us)),
    ] {
        unlike.extend(late(verb, own, others));
    }
    unlike.extend(hot(
        own.temperature,
        others.iter().filter_map(|p| p.temperature).collect(),
    ));
    unlike.extend(counted(own, &others));
    unlike
}

/// The median of enough values, and how many they are.
fn median(mut values: Vec<f64>) -> Option<(f64, usize)> {
    let count = values.len();
    values.sort_by(f64::total_cmp);
    (count >= figures().population_least.value)
        .then(|| (f64::midpoint(values[(count - 1) / 2], values[count / 2]), count))
}

fn slow(verb: &str, own: &[u64], others: &[&Vec<u64>]) -> Option<Unlike> {
    let zones = (0..PEER_ZONES).filter_map(|zone| {
        let rate = *own.get(zone).filter(|rate| **rate > 0)? as f64;
        let told = others.iter().filter_map(|o| o.get(zone)).filter(|rate| **rate > 0);
        let (usual, count) = median(told.map(|rate| *rate as f64).collect())?;
        (rate < usual * figures().population_zone.value).then_some((zone, rate, usual, count))
    });
    let zones: Vec<_> = zones.collect();
    let (zone, rate, usual, count) = *zones.iter().min_by(|a, b| (a.1 / a.2).total_cmp(&(b.1 / b.2)))?;
    Some(Unlike {
        metric: "population.throughput",
        value: zones.len() as f64,
        figures: format!(
            "{verb}: {:.0} MB/s in zone {} of {PEER_ZONES}, where the median of {count} drives is {:.0} MB/s",
            rate / 1e6,
            zone + 1,
            usual / 1e6
        ),
    })
}

fn late(verb: &str, own: Option<u64>, others: Vec<f64>) -> Option<Unlike> {
    let own = own.filter(|us| *us >= figures().population_p99_ms.value * 1000)? as f64;
    let (usual, count) = median(others)?;
    (own > usual * Rules::built_in().warns_from("population.latency")).then(|| Unlike {
        metric: "population.latency",
        value: (own / usual.max(1.0) * 10.0).round() / 10.0,
        figures: format!(
            "99 % of {verb} within {:.0} ms, where the median of {count} drives is {:.1} ms",
            own / 1e3,
            usual / 1e3
        ),
    })
}

fn hot(own: Option<f64>, others: Vec<f64>) -> Option<Unlike> {
    let own = own?;
    let (usual, count) = median(others)?;
    (own >= usual + Rules::built_in().warns_from("population.temperature")).then(|| Unlike {
        metric: "population.temperature",
        value: (own - usual).round(),
        figures: format!("{own:.0} °C on average, where the median of {count} drives is {usual:.0} °C"),
    })
}

fn counted(own: &Peer, others: &[&Peer]) -> Option<Unlike> {
    let far: Vec<String> = own
        .smart
        .iter()
        .filter_map(|(name, &value)| {
            let told: Vec<u64> = others.iter().filter_map(|peer| peer.smart.get(name).copied()).collect();
            let most = *told.iter().max()?;
            let (usual, count) = median(told.iter().map(|n| *n as f64).collect())?;
            (value > most && value as f64 >= usual + figures().population_counter.value as f64).then(|| {
                format!("{name} is {value}, where the median of {count} drives is {usual:.0} and the most {most}")
            })
        })
        .collect();
    (!far.is_empty()).then(|| Unlike {
        metric: "population.smart",
        value: far.len() as f64,
        figures: far.join("; "),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;
    use wire::drive::Bus;
    use wire::{Bytes, DriveId};

    use super::*;

    fn peer(n: u64) -> Peer {
        let curve = |at: u64| (250_000_000 - at * 8_000_000) * (98 + n % 5) / 100;
        Peer {
            drive: DriveId::from_serial("ST4000", &format!("S{n}"), 4_000).unwrap(),
            model: "ST4000".into(),
            capacity: Bytes(4_000),
            write: (0..16).map(curve).collect(),
            read: (0..16).map(curve).collect(),
            write_p99_us: Some(9_000 + n),
            read_p99_us: Some(9_000 + n),
            temperature: Some(35.0 + (n % 3) as f64),
            shared: Some(false),
            company: None,
            bus: Some(Bus::Sata),
            link_mbps: Some(6000),
            smart: [("ata.reallocated".to_owned(), n % 2), ("ata.crc".to_owned(), n)].into(),
        }
    }

    fn metrics(own: &Peer, others: &[Peer]) -> Vec<&'static str> {
        compare(own, others).into_iter().map(|unlike| unlike.metric).collect()
    }

    #[test]
    fn drives_alike_are_alike_and_two_are_no_population() {
        let others: Vec<Peer> = (1..6).map(peer).collect();
        assert_eq!(compare(&peer(0), &others), []);
        let mut bad = peer(0);
        bad.read[4] /= 2;
        assert_eq!(compare(&bad, &others[..2]), []);
        // One drive told three times is one drive; one of another capacity is none.
        assert_eq!(compare(&bad, &[peer(1), peer(1), peer(1), peer(2)]), []);
        let smaller = Peer {
            capacity: Bytes(3_000),
            ..peer(3)
        };
        assert_eq!(compare(&bad, &[peer(1), peer(2), smaller]), []);
    }

    #[test]
    fn each_difference_is_told_with_its_figures() {
        let others: Vec<Peer> = (1..5).map(peer).collect();
        let mut own = peer(0);
        own.read[4] = 110_000_000;
        own.write_p99_us = Some(40_000);
        own.temperature = Some(46.0);
        own.smart.insert("ata.reallocated".into(), 12);
        let unlike = compare(&own, &others);
        let of = |metric: &str| &unlike.iter().find(|u| u.metric == metric).unwrap().figures;
        assert!(
            of("population.throughput")
                .starts_with("reading: 110 MB/s in zone 5 of 16, where the median of 4 drives is 2")
        );
        assert!(of("population.latency").starts_with("99 % of writes within 40 ms"));
        assert_eq!(
            of("population.temperature"),
            "46 °C on average, where the median of 4 drives is 36 °C"
        );
        assert!(of("population.smart").contains("ata.reallocated is 12"));
        assert_eq!(unlike.len(), 4);
    }

    #[test]
    fn one_bad_drive_among_the_others_hides_nothing_and_blames_nobody() {
        let mut others: Vec<Peer> = (1..6).map(peer).collect();
        others[0].read = vec![1_000_000; 16];
        others[0].temperature = Some(70.0);
        assert_eq!(compare(&peer(0), &others), []);
        let mut own = peer(0);
        own.read = vec![1_000_000; 16];
        assert_eq!(metrics(&own, &others), ["population.throughput"]);
    }

    #[test]
    fn a_drive_on_a_slower_interface_is_not_held_against_others() {
        let others: Vec<Peer> = (1..5).map(peer).collect();
        let docked = |bus| Peer {
            read: vec![38_000_000; 16],
            write: vec![38_000_000; 16],
            bus,
            ..peer(0)
        };
        assert_eq!(metrics(&docked(Some(Bus::Usb)), &others), [""; 0]);
        assert_eq!(metrics(&docked(None), &others), [""; 0]);
        assert_eq!(metrics(&docked(Some(Bus::Sata)), &others), ["population.throughput"; 2]);
    }

    /// A port of an earlier generation gives half: no drive's fault, and no excuse beside others at such ports.
    #[test]
    fn rates_of_links_of_another_speed_are_not_compared() {
        let at = |link_mbps, n| {
            let half = |rates: Vec<u64>| rates.into_iter().map(|rate| rate / 2).collect();
            let peer = peer(n);
            Peer {
                read: if link_mbps == Some(6000) {
                    peer.read
                } else {
                    half(peer.read)
                },
                link_mbps,
                ..peer
            }
        };
        let fast: Vec<Peer> = (1..5).map(|n| at(Some(6000), n)).collect();
        for slower in [Some(3000), Some(1500), None] {
            assert_eq!(metrics(&at(slower, 0), &fast), [""; 0], "{slower:?}");
        }
        let mut slow = at(Some(6000), 0);
        slow.read[4] /= 2;
        assert_eq!(metrics(&slow, &fast), ["population.throughput"]);
    }

    /// Of the same drive four at once on one link move a quarter each.
    #[test]
    fn what_a_shared_link_makes_slow_is_no_drives_fault() {
        let at = |shared, n| {
            let quarter = |rates: Vec<u64>| rates.into_iter().map(|rate| rate / 4).collect();
            let alone = peer(n);
            match shared {
                Some(true) => Peer {
                    write: quarter(alone.write),
                    read: quarter(alone.read),
                    write_p99_us: alone.write_p99_us.map(|us| us * 4),
                    read_p99_us: alone.read_p99_us.map(|us| us * 4),
                    shared,
                    company: Some(3.0),
                    ..alone
                },
                Some(false) | None => Peer { shared, ..alone },
            }
        };
        let alone: Vec<Peer> = (1..4).map(|n| at(Some(false), n)).collect();
        let together: Vec<Peer> = (4..7).map(|n| at(Some(true), n)).collect();
        // As they were kept before it was noted.
        let unknown: Vec<Peer> = (7..10).map(|n| at(None, n)).collect();
        let mut slow = at(Some(true), 0);
        assert_eq!(metrics(&slow, &alone), [""; 0]);
        assert_eq!(metrics(&slow, &unknown), [""; 0]);
        slow.read[4] /= 2;
        slow.temperature = Some(70.0);
        assert_eq!(metrics(&slow, &alone), ["population.temperature"]);
        let both = ["population.throughput", "population.temperature"];
        assert_eq!(metrics(&slow, &together), both);
        // Nor with those of another number on it, or of which nobody counted.
        for company in [None, Some(1.0), Some(2.2), Some(4.1), Some(23.0)] {
            let others: Vec<Peer> = together
                .iter()
                .map(|peer| Peer {
                    company,
                    ..peer.clone()
                })
                .collect();
            assert_eq!(metrics(&slow, &others), ["population.temperature"], "{company:?}");
        }
        let others: Vec<Peer> = together
            .iter()
            .zip([2.5, 3.0, 3.9])
            .map(|(peer, company)| Peer {
                company: Some(company),
                ..peer.clone()
            })
            .collect();
        assert_eq!(metrics(&slow, &others), both);
        // Nor do the rates of a shared link excuse one that had it alone.
        let mut slow = at(Some(false), 0);
        slow.read[4] /= 2;
        let all = [&alone[..], &together, &unknown].concat();
        assert_eq!(metrics(&slow, &all), ["population.throughput"]);
        assert_eq!(metrics(&slow, &together), [""; 0]);
    }

    #[test]
    fn a_peer_that_was_kept_before_links_were_noted_is_read() {
        let mut kept = serde_json::to_value(peer(1)).unwrap();
        kept.as_object_mut().unwrap().remove("shared");
        let read: Peer = serde_json::from_value(kept).unwrap();
        assert_eq!(read.shared, None);
    }

    #[test]
    fn what_was_not_measured_is_not_compared() {
        let others: Vec<Peer> = (1..6).map(peer).collect();
        let own = Peer {
            write: vec![0; 16],
            read: Vec::new(),
            write_p99_us: None,
            read_p99_us: None,
            temperature: None,
            smart: BTreeMap::new(),
            ..peer(0)
        };
        assert_eq!(compare(&own, &others), []);
    }

    proptest! {
        #[test]
        fn no_numbers_panic(rates in proptest::collection::vec(any::<u64>(), 0..40), p99: Option<u64>, heat: Option<f64>) {
            let of = |n| Peer {
                write: rates.clone(),
                read: rates.iter().rev().copied().collect(),
                write_p99_us: p99,
                temperature: heat,
                ..peer(n)
            };
            let others: Vec<Peer> = (1..5).map(of).collect();
            let _ = compare(&of(0), &others);
            let _ = compare(&peer(0), &others);
        }
    }
}
