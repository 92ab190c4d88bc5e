use super::*;

const NOW: Duration = Duration::ZERO;

/// Two slots, one of them taken.
fn shelf() -> Shelf {
    let mut shelf = Shelf::new(0x5000_C500_0000_2000, 2);
    shelf.slots[1].address = Some(0x5000_C500_0000_1010);
    shelf
}

fn page(shelf: &mut Shelf, code: u8) -> Vec<u8> {
    let reply = shelf.command(NOW, &[0x1C, 1, code, 0x10, 0, 0], &[]);
    assert_eq!(reply.status, 0, "page {code:#x}");
    reply.data
}

/// Sends the page of control with this of the elements: all slots, slot 1, slot 2.
fn order(shelf: &mut Shelf, elements: [[u8; 4]; 3]) -> Reply {
    let mut control = vec![0x02, 0, 0, 24, 0, 0, 0, 0];
    control.extend(elements.iter().flatten());
    control.extend([0; 8]);
    shelf.command(NOW, &[0x1D, 0x10, 0, 0, 28, 0], &control)
}

const NOTHING: [u8; 4] = [0; 4];
const ON: [u8; 4] = [SELECT, 0, IDENT, 0];
const OFF: [u8; 4] = [SELECT, 0, 0, 0];

#[test]
fn it_says_that_it_is_an_enclosure() {
    let told = shelf().command(NOW, &[0x12, 0, 0, 0, 96, 0], &[]).data;
    assert_eq!((told.len(), told[0], told[6] & 0x40), (96, 0x0D, 0x40));
    assert_eq!(&told[8..21], b"PLAYED  SHELF");
    let names = shelf().command(NOW, &[0x12, 1, 0x83, 0, 96, 0], &[]).data;
    assert_eq!((names[0], names[1]), (0x0D, 0x83));
}

#[test]
fn its_pages_are_as_long_as_they_say_and_of_as_many_elements() {
    let mut shelf = shelf();
    assert_eq!(page(&mut shelf, 0x00)[4..], [0x00, 0x01, 0x02, 0x07, 0x0A]);
    for code in [0x01, 0x02, 0x07, 0x0A] {
        let page = page(&mut shelf, code);
        assert_eq!((page[0], number(&page, 2, 4)), (code, page.len() - 4));
    }
    let configuration = page(&mut shelf, 0x01);
    assert_eq!(configuration[12..20], shelf.identifier.to_be_bytes());
    // Behind the enclosure's descriptor: kinds, counts, lengths of the names.
    assert_eq!(configuration[48..56], [0x17, 2, 0, 5, 0x0E, 1, 0, 5]);
    assert_eq!(
        page(&mut shelf, 0x02)[8..],
        [0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    );
    let names = page(&mut shelf, 0x07);
    assert_eq!(names[17..29], *b"\0\0\0\x07Slot 01\0");
}

#[test]
fn it_tells_by_address_who_sits_in_which_slot() {
    let additional = page(&mut shelf(), 0x0A);
    let [empty, taken] = [&additional[8..44], &additional[44..80]];
    assert_eq!(empty[..8], [0x16, 34, 1, 1, 1, 0, 0, 1]);
    assert_eq!(taken[..8], [0x16, 34, 1, 2, 1, 0, 0, 2]);
    assert_eq!(taken[20..28], 0x5000_C500_0000_1010_u64.to_be_bytes());
    assert_eq!((&empty[8..12], &empty[20..28]), (&[0; 4][..], &[0; 8][..]));
}

#[test]
fn a_light_is_told_as_it_was_ordered_and_no_other_changes() {
    let mut shelf = shelf();
    assert_eq!(order(&mut shelf, [NOTHING, NOTHING, ON]), Reply::good());
    assert_eq!(shelf.lit(), ["Slot 02"]);
    assert_eq!(page(&mut shelf, 0x02)[16..20], [OK, 0, IDENT, 0]);
    order(&mut shelf, [NOTHING, ON, NOTHING]);
    assert_eq!(shelf.lit(), ["Slot 01", "Slot 02"]);
    order(&mut shelf, [NOTHING, [SELECT, 0, 0, FAULT], NOTHING]);
    assert_eq!((shelf.lit(), shelf.slots[0].fault), (vec!["Slot 02"], true));
    // Of all, but for the one that is selected itself.
    order(&mut shelf, [ON, OFF, NOTHING]);
    assert_eq!(shelf.lit(), ["Slot 02"]);
    assert_eq!(shelf.orders, 5);
}

#[test]
fn one_that_does_not_obey_says_that_all_is_well() {
    let mut shelf = shelf();
    shelf.obeys = false;
    assert_eq!(order(&mut shelf, [NOTHING, NOTHING, ON]), Reply::good());
    assert_eq!((shelf.lit().len(), shelf.orders), (0, 1));
}

#[test]
fn an_order_of_another_shape_is_refused() {
    let mut shelf = shelf();
    let mut control = vec![0x02, 0, 0, 20, 0, 0, 0, 0];
    control.extend([0; 16]);
    let short = shelf.command(NOW, &[0x1D, 0x10, 0, 0, 24, 0], &control);
    assert_eq!((short.status, short.sense[12]), (2, SHORT_LIST.0));
    control[3] = 24;
    control[7] = 1;
    control.extend([0; 4]);
    let old = shelf.command(NOW, &[0x1D, 0x10, 0, 0, 28, 0], &control);
    assert_eq!((old.status, old.sense[12]), (2, INVALID_PARAMETER.0));
    let unknown = shelf.command(NOW, &[0x1C, 1, 0x0E, 0x10, 0, 0], &[]);
    assert_eq!((unknown.status, unknown.sense[12]), (2, 0x24));
}
