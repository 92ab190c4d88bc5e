//! The machine as data, and QEMU's arguments for it.

use std::path::{Path, PathBuf};

use super::Error;
use super::arch::Arch;
use super::drive::{Bus, Drive, Source};
use super::firmware::Firmware;
use super::ports::{PCIE_PORTS, Ports};
use super::vm::Vm;

/// A machine to be started. Every part has a value that boots; the methods change one each.
#[derive(Clone, Debug)]
pub struct Machine {
    arch: Arch,
    firmware: Firmware,
    memory_mib: u32,
    port: u16,
    offline: bool,
    probe: bool,
    crash_store: bool,
    tap: Option<String>,
    keyboard: bool,
    clock: Option<String>,
    uuid: Option<String>,
    drives: Vec<Drive>,
    played: Vec<PathBuf>,
    fw_cfg: Vec<(String, String)>,
    kernel: Option<Kernel>,
}

/// A kernel started without a boot loader, for tests of the runner itself.
#[derive(Clone, Debug)]
struct Kernel {
    image: PathBuf,
    initrd: PathBuf,
    arguments: String,
}

impl Machine {
    /// Two processors, 768 MiB, UEFI (x86-64: BIOS), a hardware watchdog that resets, no drives.
    #[must_use]
    pub fn new(arch: Arch) -> Self {
        let firmware = match arch {
            Arch::X86_64 => Firmware::Bios,
            Arch::Arm64 => Firmware::Uefi,
        };
        Self {
            arch,
            firmware,
            memory_mib: 768,
            port: 0,
            offline: true,
            probe: false,
            crash_store: false,
            tap: None,
            keyboard: false,
            clock: None,
            uuid: None,
            drives: Vec::new(),
            played: Vec::new(),
            fw_cfg: Vec::new(),
            kernel: None,
        }
    }

    /// Chooses the firmware.
    #[must_use]
    pub fn firmware(mut self, firmware: Firmware) -> Self {
        self.firmware = firmware;
        self
    }

    /// Memory in MiB.
    #[must_use]
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Port of the host that leads to port 80 of the box; 0: any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Lets the box reach the host's networks; by default it reaches nothing.
    #[must_use]
    pub fn online(mut self) -> Self {
        self.offline = false;
        self
    }

    /// Adds the virtio-serial port over which the helper in test images talks.
    #[must_use]
    pub fn with_probe(mut self) -> Self {
        self.probe = true;
        self
    }

    /// Adds flash in which the kernel keeps its last words over a reset (ACPI ERST; x86-64 only).
    #[must_use]
    pub fn with_crash_store(mut self) -> Self {
        self.crash_store = true;
        self
    }

    /// Puts the box on this tap of the host instead of a network that QEMU plays: only what is there reaches it.
    #[must_use]
    pub fn tap(mut self, name: &str) -> Self {
        self.tap = Some(name.to_owned());
        self
    }

    /// Adds a USB keyboard, which `Qmp` can type on.
    #[must_use]
    pub fn with_keyboard(mut self) -> Self {
        self.keyboard = true;
        self
    }

    /// What the machine's hardware clock says at power-on: `2020-01-01T00:00:00`, UTC.
    #[must_use]
    pub fn clock(mut self, at: &str) -> Self {
        self.clock = Some(at.to_owned());
        self
    }

    /// The UUID that its firmware tells, as a PC's does; without it a box takes its name from its network card.
    #[must_use]
    pub fn uuid(mut self, uuid: &str) -> Self {
        self.uuid = Some(uuid.to_owned());
        self
    }

    /// Adds a drive.
    #[must_use]
    pub fn drive(mut self, drive: Drive) -> Self {
        self.drives.push(drive);
        self
    }

    /// Adds a SCSI controller whose targets another process plays at this socket (`vhost-user-scsi`), which must be there already.
    #[must_use]
    pub fn played(mut self, socket: &Path) -> Self {
        self.played.push(socket.to_owned());
        self
    }

    /// Adds the medium that the box boots from, as drive `boot`.
    #[must_use]
    pub fn boot(self, bus: Bus, source: Source, speed: Option<u64>) -> Self {
        let mut drive = Drive::new(bus, "KILNBOOT", source);
        drive.id = "boot".into();
        drive.speed = speed;
        drive.boot_index = Some(0);
        self.drive(drive)
    }

    /// Adds a `fw_cfg` entry that the guest can read, e.g. `opt/kiln/…`.
    #[must_use]
    pub fn fw_cfg(mut self, name: &str, value: &str) -> Self {
        self.fw_cfg.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts a kernel directly instead of a boot medium.
    #[must_use]
    pub fn kernel(mut self, image: &Path, initrd: &Path, arguments: &str) -> Self {
        self.kernel = Some(Kernel {
            image: image.to_owned(),
            initrd: initrd.to_owned(),
            arguments: arguments.to_owned(),
        });
        self
    }

    /// Starts the machine; its sockets, console log and variable store are kept in `dir`.
    ///
    /// Started again over the same folder it goes on with the same variables, and its console log grows.
    pub fn start(mut self, dir: &Path) -> Result<Vm, Error> {
        if self.port == 0 {
            self.port = free_port().map_err(|cause| Error::File {
                what: "finding a free port for",
                path: dir.into(),
                cause,
            })?;
        }
        self.firmware.copy_variables(self.arch, dir)?;
        let arguments = self.arguments(dir)?;
        let program = match self.arch {
            Arch::X86_64 => "qemu-system-x86_64",
            Arch::Arm64 => "qemu-system-aarch64",
        };
        Vm::start(program, &arguments, dir, self.port, self.drives)
    }

    /// QEMU's arguments, with the machine's files in `dir`.
    pub fn arguments(&self, dir: &Path) -> Result<Vec<String>, Error> {
        let file = |name: &str| dir.join(name).display().to_string();
        let mut args = vec!["-nodefaults".to_owned()];
        let mut add = |flag: &str, value: String| args.extend([flag.to_owned(), value]);

        add("-display", "none".into());
        add("-accel", "tcg,thread=multi".into());
        let (machine, cpu) = match self.arch {
            Arch::X86_64 => ("q35", "max"),
            Arch::Arm64 => ("virt", "cortex-a72"),
        };
        let smm = self.firmware.needs_smm(self.arch);
        let mut machine = machine.to_owned();
        if smm {
            machine.push_str(",smm=on");
        }
        if !self.played.is_empty() {
            // Who plays a controller reads and writes the guest's memory.
            machine.push_str(",memory-backend=ram");
            let size = self.memory_mib;
            add("-object", format!("memory-backend-memfd,id=ram,size={size}M,share=on"));
        }
        add("-M", machine);
        add("-cpu", cpu.into());
        add("-smp", "2".into());
        add("-m", self.memory_mib.to_string());
        if let Some((code, _)) = self.firmware.files(self.arch)? {
            add(
                "-drive",
                format!(
                    "if=pflash,unit=0,format=raw,readonly=on,file={}",
                    escaped(&code.display().to_string())
                ),
            );
            add(
                "-drive",
                format!("if=pflash,unit=1,format=raw,file={}", escaped(&file("vars.fd"))),
            );
        }
        if smm {
            add("-global", "driver=cfi.pflash01,property=secure,value=on".into());
        }
        add(
            "-chardev",
            format!("file,id=serial,append=on,path={}", escaped(&file("serial.log"))),
        );
        add("-serial", "chardev:serial".into());
        add(
            "-qmp",
            format!("unix:{},server=on,wait=off", escaped(&file("qmp.sock"))),
        );
        let restrict = if self.offline { "on" } else { "off" };
        add(
            "-netdev",
            match &self.tap {
                Some(tap) => format!("tap,id=net,ifname={tap},script=no,downscript=no"),
                None => format!(
                    "user,id=net,restrict={restrict},hostfwd=tcp:127.0.0.1:{}-:80",
                    self.port
                ),
            },
        );
        if let Some(clock) = &self.clock {
            add("-rtc", format!("base={clock},clock=vm"));
        }
        if let Some(uuid) = &self.uuid {
            add("-uuid", uuid.clone());
        }
        add("-device", "virtio-net-pci,netdev=net,romfile=".into());
        add("-device", "virtio-rng-pci".into());
        add("-device", "virtio-scsi-pci,id=scsi".into());
        add("-device", "ich9-ahci,id=ahci".into());
        add("-device", "qemu-xhci,id=xhci,p2=8,p3=8".into());
        if self.keyboard {
            add("-device", "usb-kbd,bus=xhci.0".into());
        }
        for n in 0..PCIE_PORTS {
            add(
                "-device",
                format!("pcie-root-port,id=port{n},chassis={},slot={}", n + 1, n + 1),
            );
        }
        add("-device", "i6300esb".into());
        add("-action", "watchdog=reset".into());
        if self.probe {
            add("-device", "virtio-serial-pci,id=vserial".into());
            add(
                "-chardev",
                format!(
                    "socket,id=probe,server=on,wait=off,path={}",
                    escaped(&file("probe.sock"))
                ),
            );
            add(
                "-device",
                "virtserialport,bus=vserial.0,chardev=probe,name=kiln.probe".into(),
            );
        }
        if self.crash_store {
            let path = escaped(&file("erst"));
            add(
                "-object",
                format!("memory-backend-file,id=erst,size=256K,share=on,mem-path={path}"),
            );
            add("-device", "acpi-erst,memdev=erst".into());
        }
        for (n, socket) in self.played.iter().enumerate() {
            let path = escaped(&socket.display().to_string());
            add("-chardev", format!("socket,id=played{n},path={path}"));
            add(
                "-device",
                format!("vhost-user-scsi-pci,id=hba{n},chardev=played{n},num_queues=1,param_change=off"),
            );
        }
        for (name, value) in &self.fw_cfg {
            add("-fw_cfg", format!("name={},string={}", escaped(name), escaped(value)));
        }
        if let Some(kernel) = &self.kernel {
            add("-kernel", kernel.image.display().to_string());
            add("-initrd", kernel.initrd.display().to_string());
            add("-append", kernel.arguments.clone());
        }
        let mut ports = Ports::default();
        for drive in &self.drives {
            let port = ports.take(drive)?;
            add("-object", drive.throttle_object().to_string());
            add("-blockdev", drive.blockdev().to_string());
            add("-device", drive.device(port).to_string());
            if let Some(namespace) = drive.namespace() {
                add("-device", namespace.to_string());
            }
        }
        Ok(args)
    }
}

/// A value inside one of QEMU's comma lists.
fn escaped(value: &str) -> String {
    value.replace(',', ",,")
}

fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A fresh qcow2 overlay at `overlay`; reads come from `image`, which stays as it is.
pub fn overlay(image: &Path, overlay: &Path) -> Result<(), Error> {
    let image = image.canonicalize().map_err(|cause| Error::File {
        what: "finding image",
        path: image.into(),
        cause,
    })?;
    let output = std::process::Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .arg(&image)
        .arg(overlay)
        .output()
        .map_err(|_| Error::Missing {
            what: "qemu-img",
            path: "/usr/bin/qemu-img".into(),
        })?;
    if output.status.success() {
        Ok(())
    } else {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(Error::Refused {
            command: "qemu-img create".into(),
            reason,
        })
    }
}

/// A drive's file of `mib` MiB, all holes.
pub fn blank_file(path: &Path, mib: u64) -> Result<(), Error> {
    std::fs::File::create(path)
        .and_then(|file| file.set_len(mib << 20))
        .map_err(|cause| Error::File {
            what: "making drive",
            path: path.into(),
            cause,
        })
}

/// The arguments as one line that a shell would take, for messages.
#[must_use]
pub fn shell_line(program: &str, arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|a| format!("'{}'", a.replace('\'', r"'\''")));
    std::iter::once(program.to_owned())
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn line(machine: &Machine) -> String {
        machine.arguments(Path::new("/vm")).unwrap().join(" ")
    }

    #[test]
    fn acceleration_is_always_emulation() {
        for arch in [Arch::X86_64, Arch::Arm64] {
            let text = Machine::new(arch).firmware(Firmware::Bios).arguments(Path::new("/vm"));
            match arch {
                Arch::X86_64 => assert!(text.unwrap().join(" ").contains("-accel tcg,thread=multi")),
                Arch::Arm64 => assert!(matches!(text, Err(Error::Impossible(_)))),
            }
        }
    }

    #[test]
    fn only_secure_boot_runs_its_firmware_in_system_management_mode() {
        for (firmware, smm) in [
            (Firmware::Bios, false),
            (Firmware::Uefi, false),
            (Firmware::SecureBoot, true),
        ] {
            let text = line(&Machine::new(Arch::X86_64).firmware(firmware));
            assert_eq!(text.contains("smm=on"), smm, "{text}");
            assert_eq!(
                text.contains("OVMF_VARS") || text.contains("vars.fd"),
                firmware != Firmware::Bios
            );
        }
    }

    #[test]
    fn commas_in_values_do_not_end_them() {
        let text = line(&Machine::new(Arch::X86_64).fw_cfg("opt/kiln/env/ADMIN_PASSWORD", "a,b"));
        assert!(text.contains("string=a,,b"), "{text}");
    }

    #[test]
    fn each_drive_with_a_port_gets_its_own_and_the_last_but_one_is_refused() {
        let drive = |n: usize, bus| Drive::new(bus, &format!("D{n}"), Source::Raw("/x".into()));
        let mut machine = Machine::new(Arch::X86_64);
        for n in 0..PCIE_PORTS {
            machine = machine.drive(drive(n, if n % 2 == 0 { Bus::Nvme } else { Bus::Virtio }));
        }
        let text = line(&machine);
        for n in 0..PCIE_PORTS {
            assert_eq!(text.matches(&format!("\"bus\":\"port{n}\"")).count(), 1, "{text}");
        }
        let full = machine.drive(drive(99, Bus::Nvme)).arguments(Path::new("/vm"));
        assert!(matches!(full, Err(Error::Impossible(_))));
    }

    #[test]
    fn memory_is_shared_only_with_who_plays_a_controller() {
        let machine = Machine::new(Arch::X86_64);
        assert!(!line(&machine).contains("memory-backend"));
        let text = line(&machine.played(Path::new("/vm/a.sock")).played(Path::new("/vm/b.sock")));
        assert!(
            text.contains("-M q35,memory-backend=ram") && text.contains("id=ram,size=768M,share=on"),
            "{text}"
        );
        for n in 0..2 {
            assert_eq!(
                text.matches(&format!("vhost-user-scsi-pci,id=hba{n},chardev=played{n}"))
                    .count(),
                1
            );
        }
    }

    #[test]
    fn the_boot_medium_comes_first_and_may_be_slow() {
        let text = line(&Machine::new(Arch::X86_64).boot(Bus::Usb, Source::Qcow2("/o".into()), Some(20_000_000)));
        assert!(
            text.contains("\"bootindex\":0") && text.contains("\"bps-total\":20000000"),
            "{text}"
        );
    }
}
