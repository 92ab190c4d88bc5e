/** Drives, jobs and plans for unit tests: whole wire values, of which a test changes what it is about. */
import type { Drive, Finding, Job, PhaseState, Plan, PlanDrive, PlanOptions, PlaybookInfo } from "@wire";

/** What a person has chosen who chose nothing. */
export const OPTIONS: PlanOptions = { profile: "used", format: null, give_up: [], soak_hours: null };

/** A drive that may be chosen. */
export function drive(change: Partial<Drive> = {}): Drive {
  const serial = change.serial ?? "ZRT02B7H";
  return {
    id: `sn-M-${serial}-1000000000`, key: `sn-M-${serial}-1000000000`, kernel_name: "sda", model: "Exos X18", serial, wwn: null,
    capacity: 1_000_000_000, logical_sector: 512, physical_sector: 4096, bus: "sata", rotation: { kind: "spinning", rpm: 7200 },
    location: "PCI 00:1f.2, SATA port 1", temperature: 31, content: { state: "empty" }, refused: null, present: true,
    since: "2026-11-20T06:00:00Z", heat_limit: 55, ...change,
  };
}

/** A step of a job, not begun. */
export function phase(change: Partial<PhaseState> = {}): PhaseState {
  return { phase: "write", note: "", rounds: 0, status: "pending", seconds: 0, bytes: 0, ...change };
}

/** A job that runs its second phase. */
export function job(change: Partial<Job> = {}): Job {
  const of = drive();
  return {
    id: "0199-1", drive: of.id ?? "", model: of.model, serial: of.serial, capacity: of.capacity, sector: 512, playbook: "surface",
    actor: "mara", state: { kind: "running" }, progress: null, findings: [], bad_sectors: 0, heading: [], verdict: null, resumes: [], surface: [], smart: [],
    self_tests: [], timeline: [], options: OPTIONS, formatted: null, certificate: null,
    started: "2026-11-20T06:00:00Z", ended: null,
    phases: [phase({ phase: "write", status: "done", seconds: 100, bytes: 1e9 }), phase({ phase: "verify", status: "running", seconds: 40 })],
    ...change,
  };
}

/** A finding with a place. */
export function finding(change: Partial<Finding> = {}): Finding {
  return { kind: "bit_flip", lba: 1000, sectors: 1, found: null, phase: "verify", step: 1, detail: "1 bit differs", ...change };
}

/** A drive of a plan. */
export function planDrive(serial: string, change: Partial<PlanDrive> = {}): PlanDrive {
  return { id: `sn-M-${serial}-1`, model: "M", serial, capacity: 4e12, sector: 512, content: { state: "empty" }, given_up: [], label: serial.slice(-4).toUpperCase(), ...change };
}

/** A plan with a digest of its own. */
export function plan(drives: PlanDrive[], change: Partial<Plan> = {}): Plan {
  return { id: "p1", playbook: "standard", steps: "[1]", options: OPTIONS, drives, digest: "d1", nonce: "n1", seconds: 120, made: "2026-11-20T06:00:00Z", ...change };
}

/** A playbook that erases. */
export function playbook(change: Partial<PlaybookInfo> = {}): PlaybookInfo {
  return { name: "standard", about: "About it.", erases: true, own: false, steps: ["Write", "Read back and verify"], sweeps: 2, self_tests: 0, timed_seconds: 0, soaks: [{ sweeps: 2, timed_seconds: 0, seconds: 0 }], formats: true, judges_new: true, text: "", problem: null, ...change };
}
