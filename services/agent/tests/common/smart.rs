//! A smartctl that knows one made-up drive: its self-tests take as long as the test says, and end as it says.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The program and its state.
pub(crate) struct Smartctl {
    dir: TempDir,
}

impl Smartctl {
    /// One whose self-tests take so many seconds.
    pub(crate) fn new(takes: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = SCRIPT.replace("DIR", dir.path().to_str().unwrap());
        let program = dir.path().join("smartctl");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(dir.path().join("takes"), takes.to_string()).unwrap();
        Self { dir }
    }

    pub(crate) fn program(&self) -> PathBuf {
        self.dir.path().join("smartctl")
    }

    /// From now on self-tests end with a read failure.
    pub(crate) fn fail(&self) {
        std::fs::write(self.dir.path().join("fail"), "").unwrap();
    }

    /// Its log has an entry of an earlier test.
    pub(crate) fn logged(&self, test: &str, status: &str) {
        let entry = format!(
            r#"{{"type":{{"value":1,"string":"{test}"}},"status":{{"value":0,"string":"{status}"}},"lifetime_hours":90}}"#
        );
        std::fs::write(self.dir.path().join("log"), format!("{entry}\n")).unwrap();
    }

    /// From now on there is no self-test.
    pub(crate) fn unable(&self) {
        std::fs::write(self.dir.path().join("unable"), "").unwrap();
    }

    /// While a self-test runs it is so warm, for so many tests; and cool between them.
    pub(crate) fn hot(&self, degrees: u32, tests: u32) {
        std::fs::write(self.dir.path().join("hot"), format!("{degrees} {tests}\n")).unwrap();
    }

    /// It is still as hot in the first so many readings after such a test.
    pub(crate) fn cools_in(&self, readings: u32) {
        std::fs::write(self.dir.path().join("cools"), readings.to_string()).unwrap();
    }

    /// The next so many orders to end a self-test fail.
    pub(crate) fn deaf(&self, times: u32) {
        std::fs::write(self.dir.path().join("deaf"), times.to_string()).unwrap();
    }

    /// A self-test that grows too hot has failed by the second reading that shows so.
    pub(crate) fn fails_hot(&self) {
        std::fs::write(self.dir.path().join("fails_hot"), "").unwrap();
    }

    /// The next so many readings fail.
    pub(crate) fn silent(&self, times: u32) {
        std::fs::write(self.dir.path().join("silent"), times.to_string()).unwrap();
    }

    /// From now on it does not answer, or does again.
    pub(crate) fn hang(&self, hangs: bool) {
        let path = self.dir.path().join("hang");
        if hangs {
            std::fs::write(path, "").unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
    }

    /// The running self-test is ended by a reset.
    pub(crate) fn cut(&self) {
        std::fs::write(self.dir.path().join("cut"), "").unwrap();
    }

    /// What it was ordered to do.
    pub(crate) fn orders(&self) -> Vec<String> {
        let orders = std::fs::read_to_string(self.dir.path().join("orders")).unwrap_or_default();
        orders.lines().map(str::to_owned).collect()
    }

    /// How it was called, a line each.
    pub(crate) fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.dir.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    pub(crate) fn is_running(&self) -> bool {
        Path::new(&self.dir.path().join("running")).exists()
    }
}

const SCRIPT: &str = r#"#!/bin/sh
cd DIR || exit 2
exec 9>lock; flock 9
printf '%s\n' "$*" >> calls
while [ -e hang ]; do sleep 0.1; done
order=; prev=; node=
for a; do
  [ "$prev" = -t ] && order="start $a"
  [ "$a" = -X ] && order=abort
  prev=$a
  case "$a" in /dev/*) node=$a;; esac
done
now=$(date +%s)
finish() {
  read -r kind _ < running
  name="Short offline"; [ "$kind" = long ] && name="Extended offline"
  { printf '%s\n' "{\"type\":{\"value\":1,\"string\":\"$name\"},\"status\":{\"value\":$2,\"string\":\"$1\"},\"lifetime_hours\":101}"
    cat log 2>/dev/null; } > log.new
  mv log.new log; rm running
}
if [ -f running ]; then
  read -r _ end < running
  if [ -f cut ]; then rm cut; finish "Interrupted (host reset)" 32
  elif [ "$now" -ge "$end" ]; then
    if [ -f fail ]; then finish "Completed: read failure" 112; else finish "Completed without error" 0; fi
  fi
fi
case "$order" in
  start*)
    printf '%s\n' "$order" >> orders
    if [ -f unable ]; then printf '{"smartctl":{"exit_status":4,"output":["Self-tests are not supported"]}}'; exit 4; fi
    read -r takes < takes
    # One that grows too hot does not come to its end.
    [ -f hot ] && read -r _ tests < hot && [ "$(grep -c ^start orders)" -le "$tests" ] && takes=3600
    echo "${order#start } $((now + takes))" > running
    printf '{"smartctl":{"exit_status":0,"output":["Testing has begun."]}}'; exit 0;;
  abort)
    printf 'abort\n' >> orders
    left=0; [ -f deaf ] && read -r left < deaf
    if [ "$left" -gt 0 ]; then
      echo $((left - 1)) > deaf
      printf '{"smartctl":{"exit_status":4,"output":["Command failed"]}}'; exit 4
    fi
    [ -f running ] && finish "Aborted by host" 16
    printf '{"smartctl":{"exit_status":0,"output":["Self-testing aborted!"]}}'; exit 0;;
esac
if [ -f silent ]; then
  read -r left < silent
  if [ "$left" -gt 0 ]; then echo $((left - 1)) > silent; exit 1; fi
fi
status='"value":0,"string":"completed without error"'
[ -f running ] && status='"value":245,"string":"in progress","remaining_percent":50'
log=$(paste -sd, log 2>/dev/null)
warm=
if [ -f hot ]; then
  read -r degrees tests < hot
  warm='"temperature":{"current":48},'
  hot=; [ -f running ] && [ "$(grep -c ^start orders)" -le "$tests" ] && hot=y
  if [ -n "$hot" ] && [ -f fails_hot ]; then
    if [ -f shown ]; then finish "Completed: read failure" 112; status='"value":112,"string":"read failure"'; log=$(paste -sd, log); else : > shown; fi
  fi
  if [ -f cools ] && ! [ -f running ] && [ -f orders ]; then
    read -r left < cools
    if [ "$left" -gt 0 ]; then echo $((left - 1)) > cools; hot=y; fi
  fi
  [ -n "$hot" ] && warm="\"temperature\":{\"current\":$degrees},"
fi
printf '{"smartctl":{"exit_status":0,"version":[7,4]},"device":{"name":"x","type":"sat","protocol":"ATA"},"serial_number":"%s",%s"smart_status":{"passed":true},"power_on_time":{"hours":100},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":100,"worst":100,"thresh":10,"flags":{"prefailure":true},"raw":{"value":0,"string":"0"}}]},"ata_smart_data":{"capabilities":{"self_tests_supported":true},"self_test":{"status":{%s},"polling_minutes":{"short":1,"extended":1}}},"ata_smart_self_test_log":{"standard":{"table":[%s],"count":1}}}' "$node" "$warm" "$status" "$log"
"#;
