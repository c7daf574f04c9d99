use crate::null::{NullDistribution, bin_edge, bin_of};

/// Matches that are hardly more alike than strangers, of which nothing shows among the strangers.
///
/// How alike matches are falls off in steps, by how much is wrong in them, and nothing says that it stops where they cease to be
/// seen. Their density there is taken to fall to none at how alike strangers are on average as the square of the way, so that a third
/// of what an even density would hold is expected, or what their fall above says where it is steeper; and at most a little more than
/// all of it, since at the edge strangers already take some of the places of matches. Expected only of what is beyond doubt where it
/// can be seen, so that a few look-alikes at the edge of small registers make no matches.
///
/// A convention, not an estimate from data. On invented corridors of 4,000 records it suffices; of 50,000 from Senegal to France, with
/// many namesakes, it does not: strangers take the places of matches well before these cease to be seen, and 6 % of the matches
/// were missed where 3 % at most were allowed for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Unseen {
    /// Matches expected.
    pub(crate) expected: f64,
    /// Matches at most: upper end of a 95 % interval.
    pub(crate) most: f64,
    /// Bins from where matches cease to be seen upwards, from which their density there was taken.
    pub(crate) edge: std::ops::Range<usize>,
}

/// Share of the way from strangers to where matches cease to be seen, as far above which their density is looked at.
const EDGE: f64 = 0.25;

/// Of what an even density would hold, the share that is expected, and that there is at most.
const EXPECTED: f64 = 1.0 / 3.0;
const MOST: f64 = 1.2;

impl Unseen {
    /// `edge_bin` is where matches cease to be seen; `links` gives links and expected false links of each bin.
    pub(crate) fn below(
        edge_bin: usize,
        null: &NullDistribution,
        links: impl Iterator<Item = (usize, f64, f64)>,
    ) -> Self {
        let way = (bin_edge(edge_bin) - null.mean()).max(0.0);
        let end = bin_of((bin_edge(edge_bin) + EDGE * way).min(1.0)).max(edge_bin + 1);
        let edge = edge_bin..end;
        // There, and as far above again.
        let above = edge.end..2 * edge.end - edge.start;
        let (mut seen, mut further) = (Seen::default(), Seen::default());
        for (bin, links, of_strangers) in links {
            if edge.contains(&bin) {
                seen.add(links, of_strangers);
            } else if above.contains(&bin) {
                further.add(links, of_strangers);
            }
        }
        // So many times as wide as the edge is what lies below it.
        let widths = way / (bin_edge(end) - bin_edge(edge_bin));
        let hidden = |share: f64, (there, further): (f64, f64)| {
            let evenly = share * widths * there;
            // Where they fall off faster than that, they go on as they do: a geometric series of edges.
            let ratio = there / further.max(1.0);
            let as_they_do = if ratio < 1.0 {
                there * ratio / (1.0 - ratio)
            } else {
                evenly
            };
            evenly.min(as_they_do)
        };
        let spread = [&seen, &further].map(Seen::spread);
        let beyond_doubt = (seen.matches - spread[0]).max(0.0);
        Self {
            expected: hidden(EXPECTED, (beyond_doubt, further.matches)),
            most: hidden(MOST, (seen.matches.max(0.0), further.matches - spread[1])),
            edge,
        }
    }
}

/// What is seen in some bins.
#[derive(Debug, Default)]
struct Seen {
    matches: f64,
    strangers: f64,
}

impl Seen {
    fn add(&mut self, links: f64, of_strangers: f64) {
        self.matches += links - of_strangers;
        self.strangers += of_strangers;
    }

    /// Half a 95 % interval of the matches.
    fn spread(&self) -> f64 {
        1.96 * f64::sqrt(2.0 * self.strangers + self.matches.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_hidden_as_fall_off_to_the_strangers() {
        // Strangers at 0 on average; matches cease to be seen at 0.2, above which there are 3 in each bin.
        let mut counts = vec![0; crate::null::BINS];
        (counts[bin_of(-0.1)], counts[bin_of(0.1)]) = (50, 50);
        let null = NullDistribution::of_counts(counts);
        let edge = bin_of(0.2);
        let links =
            |of_strangers: f64| (edge..=bin_of(1.0)).map(move |bin| (bin, 3.0 + of_strangers, of_strangers));
        let unseen = Unseen::below(edge, &null, links(0.0));
        // 0.2 wide, 0.0005 a bin: 300 are seen, give or take 34, in the quarter of the way above.
        assert!(
            (unseen.expected - 4.0 * (300.0 - 34.0) / 3.0).abs() < 10.0,
            "{unseen:?}"
        );
        assert!(unseen.most > 2.0 * unseen.expected);
        let among_strangers = Unseen::below(edge, &null, links(20.0));
        assert!(
            among_strangers.expected < unseen.expected,
            "what strangers hide is less certain"
        );
        // A fall to a tenth from edge to edge goes on below.
        let steep = |bin: usize| if bin < edge + 100 { 3.0 } else { 30.0 };
        let links = (edge..=bin_of(1.0)).map(|bin| (bin, steep(bin), 0.0));
        let falling = Unseen::below(edge, &null, links);
        assert!(
            (20.0..34.0).contains(&falling.expected) && falling.most < 60.0,
            "{falling:?}"
        );
        // Nothing there, nothing hidden.
        let none = Unseen::below(edge, &null, std::iter::empty());
        assert!(none.expected == 0.0 && none.most == 0.0);
    }
}
