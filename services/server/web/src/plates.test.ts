import { expect, it } from "vitest";
import type { Drive } from "@wire";

import { drive } from "./fixtures";
import { platesOf } from "./plates";
import { bayName, placeName, seatOf, whoIs } from "./seat";

const at = (location: string, change: Partial<Drive> = {}) => drive({ serial: location, key: location, location, bus: location.includes("SATA") ? "sata" : "scsi", ...change });
const plates = (...drives: Drive[]) => [...platesOf(drives).values()];
const PORT = "PCI 00:1f.2, SATA port 1";
const TARGET = "PCI 00:03.0, SCSI 12:0:1:0";

it("a plate is as on the bench, and two that were the same say on what they are", () => {
  expect(plates(at(PORT), at("PCI 00:03.0, SCSI 12:0:2:0"))).toEqual(["1", "2"]);
  expect(plates(at(PORT), at(TARGET), at("PCI 00:03.0, SCSI 12:0:2:0"))).toEqual(["SATA 1", "SCSI 1", "2"]);
  expect(plates(at(PORT), at(TARGET, { bay: "1" }))).toEqual(["SATA 1", "bay 1"]);
});

it("where the bus is the same, too, shelf or controller tells them apart, and the whole place at last", () => {
  expect(plates(at(PORT), at("PCI 05:00.0, SATA port 1"))).toEqual(["SATA 1, 00:1f.2", "SATA 1, 05:00.0"]);
  expect(plates(at("PCI 03:00.0, SAS 0:0:1, enclosure 7:0:24:0, bay Slot 01"), at("PCI 03:00.0, SAS 0:0:1, enclosure 7:0:25:0, bay Slot 01"))).toEqual(["Slot 01, 7:0:24:0", "Slot 01, 7:0:25:0"]);
  expect(plates(at(TARGET), at("PCI 00:03.0, SCSI 13:0:1:0"))).toEqual([TARGET, "PCI 00:03.0, SCSI 13:0:1:0"]);
  // Nothing tells these.
  expect(plates(at("", { key: "a" }), at("", { key: "b" }))).toEqual(["sda", "sda"]);
});

it("a place that is a number alone says what it is the number of, and that is no bay where nobody says so", () => {
  expect([at(PORT), at(TARGET), at(TARGET, { bay: "7" }), at("PCI 03:00.0, SAS 0:0:3, enclosure 7:0:24:0, bay 3"), at(PORT, { bay: "front 7" })].map(placeName))
    .toEqual(["SATA 1", "SCSI 1", "bay 7", "bay 3", "front 7"]);
});

it("a drive is named by where it is pulled: its bay as it is called, else what it is plugged into, and by its last four alone where nothing tells", () => {
  const usb = at("PCI 00:14.0, USB 2-1", { bus: "usb" });
  const all = [at(TARGET, { bay: "7" }), at(TARGET, { bay: "slot 3" }), at(TARGET, { bay: "front, second" }), at("PCI 03:00.0, SAS 0:0:3, enclosure 7:0:24:0, bay ArrayDevice07"), at(PORT), usb, at("PCI 03:00.0, SAS 0:0:1"), at("")].map((one) => ({ ...one, serial: "WD9F2K" }));
  expect(all.map(whoIs)).toEqual(["Bay 7 (…9F2K)", "slot 3 (…9F2K)", "Bay front, second (…9F2K)", "Bay ArrayDevice07 (…9F2K)", "SATA 1 …9F2K", "USB 2-1 …9F2K", "SAS 0:0:1 …9F2K", "…9F2K"]);
  expect(all.map((one) => bayName(one) !== "")).toEqual([true, true, true, true, false, false, false, false]);
  expect(seatOf(at("", { bus: "nvme", kernel_name: "nvme0n1" }))).toBe("nvme0");
});
