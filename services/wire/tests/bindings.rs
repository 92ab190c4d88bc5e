//! The TypeScript that the dashboard compiles against is generated from these types and checked in;
//! this test fails when it is stale. `KILN_BLESS=1 cargo test -p wire --test bindings` writes it anew.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use ts_rs::{Config, TS};
use wire::{
    boxes, certificate, command, drive, event, frame, gate, job, manifest, options, playbook, problem, supervisor,
    update,
};

fn generated() -> String {
    // JSON numbers reach the page as numbers; byte counts stay exact up to 9 PB.
    let config = Config::default().with_large_int("number");
    let mut declarations = BTreeSet::new();
    macro_rules! declare {
        ($($type:ty),* $(,)?) => { $( declarations.insert(format!("export {}", <$type>::decl(&config))); )* };
    }
    declare!(
        wire::Lba,
        wire::Bytes,
        wire::Celsius,
        wire::DriveId,
        wire::JobId,
        wire::PlanId,
        problem::Problem,
        drive::Drive,
        drive::Bus,
        drive::Ill,
        drive::Rotation,
        drive::Content,
        drive::Signature,
        drive::Refused,
        job::Job,
        job::JobState,
        job::JobEnd,
        job::Phase,
        job::PhaseState,
        job::PhaseStatus,
        job::Progress,
        job::Finding,
        job::FaultKind,
        job::Resume,
        job::Surface,
        job::SmartRow,
        job::SmartLimit,
        job::Verdict,
        job::TimePoint,
        job::SelfTest,
        job::SelfTestOutcome,
        options::Formatted,
        options::PlanOptions,
        options::Profile,
        options::FormatRequest,
        options::Table,
        options::FileSystem,
        certificate::CertificateInfo,
        certificate::Revocation,
        certificate::CertificateText,
        certificate::CertificateCheck,
        certificate::CertificateFacts,
        certificate::RevocationState,
        certificate::Standing,
        playbook::SoakInfo,
        playbook::PlaybookInfo,
        job::Acknowledged,
        job::Outcome,
        job::RuleHit,
        gate::Plan,
        gate::PlanDrive,
        gate::Ticket,
        gate::Armed,
        command::Command,
        command::Answer,
        command::BackupRow,
        command::Call,
        command::Reply,
        command::CallOutcome,
        event::Event,
        event::Severity,
        event::Actor,
        event::NewEvent,
        frame::ProgressFrame,
        frame::LogLine,
        frame::Notification,
        frame::Hello,
        frame::ActionCall,
        frame::ActionResult,
        manifest::Manifest,
        manifest::Page,
        manifest::PageConfig,
        manifest::Refresh,
        manifest::RefreshOption,
        manifest::FormConfig,
        manifest::Field,
        manifest::FieldOption,
        manifest::ProgressConfig,
        manifest::Cancel,
        manifest::ChartConfig,
        manifest::ChartData,
        manifest::Dataset,
        manifest::Axes,
        manifest::Axis,
        manifest::SmartTableConfig,
        manifest::Column,
        manifest::ColumnAction,
        manifest::Sort,
        manifest::TimeFilter,
        manifest::TimeOption,
        manifest::ProgressIndicator,
        manifest::TableAction,
        manifest::Endpoint,
        manifest::Confirm,
        manifest::LogViewerConfig,
        manifest::DeployWizardConfig,
        manifest::Docker,
        manifest::Variable,
        manifest::Binary,
        manifest::ConfigCardConfig,
        manifest::DiskStorageConfig,
        manifest::DiscoveryCardConfig,
        manifest::Component,
        manifest::FieldType,
        manifest::Safety,
        manifest::SafetyTier,
        manifest::ColumnSpec,
        manifest::ActionSpec,
        manifest::Flaw,
        manifest::Part<manifest::FormConfig>,
        boxes::BoxView,
        boxes::Banner,
        boxes::AgentView,
        boxes::Liveness,
        boxes::Claim,
        boxes::Login,
        boxes::Session,
        boxes::PlanRequest,
        boxes::ArmRequest,
        boxes::Started,
        boxes::ScanRequest,
        boxes::LocateRequest,
        boxes::BayRequest,
        boxes::PlaybookText,
        boxes::Told,
        boxes::CheckRequest,
        boxes::CertificateEntry,
        boxes::JobProgress,
        boxes::JobLine,
        update::UpdateView,
        update::TrustedKeys,
        update::SlotView,
        update::SlotState,
        update::Writing,
        update::LastUpdate,
        update::UpdateOutcome,
        update::UpdateNeeds,
        update::UpdateChunk,
        update::UpdateState,
        update::Download,
        update::UpdateFetch,
        update::UpdateWritten,
        supervisor::Status,
        supervisor::UnitView,
        supervisor::UnitState,
        supervisor::Rung,
        supervisor::BootView,
        supervisor::Medium,
    );
    let mut text = String::from(
        "// Generated from services/wire by `KILN_BLESS=1 cargo test -p wire --test bindings`; do not edit.\n",
    );
    for declaration in declarations {
        text.push('\n');
        text.push_str(&declaration);
        text.push('\n');
    }
    let meanings = serde_json::to_string(&wire::meaning::table()).unwrap();
    text.push_str(&format!("\nexport const MEANINGS = {meanings} as const;\n"));
    let meant = serde_json::to_string(&wire::meant::table()).unwrap();
    text.push_str(&format!("\nexport const MEANT = {meant} as const;\n"));
    let days = certificate::VALID_DAYS;
    text.push_str(&format!("\nexport const VALID_DAYS = {days};\n"));
    text
}

#[test]
fn typescript_bindings_are_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("bindings/wire.ts");
    let fresh = generated();
    if std::env::var_os("KILN_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == fresh,
        "{} is stale: run KILN_BLESS=1 cargo test -p wire --test bindings",
        path.display()
    );
}
