//! Everything that can happen: the vocabulary of the two journals.
//!
//! Events carry results, never rules: applying one reads no clock and no config, so a journal read
//! again in ten years gives the same state. A field is never renamed or given another meaning; a new
//! one comes with a default. Neutral events carry nothing of a person, and no free text but what the shop itself shows
//! everybody.

use super::audit::PersonalRead;
use super::breach::Breach;
use super::card::{CardAlert, CardKind, CardReason, CardStatus};
use super::consent::{ConsentText, TextHash};
use super::contact::Channel;
use super::contest::{Drawn, Entry};
use super::credit::{Credit, Payment};
use super::id::{
    AdjustmentId, CardId, CustomerNumber, IssueId, JobId, LostId, MergeId, PrinterName, ReaderName,
    RegisterName, SaleId, VisitId,
};
use super::issue::{Claim, Clock, IssueKind, IssueProduct, IssueState, Severity};
use super::lost::Lost;
use super::money::Currency;
use super::operator::{Operator, PinHash};
use super::points::{Adjustment, Brought, PointsEntry};
use super::purchase::{Parked, Return, Sale};
use super::reward::Redemption;
use super::time::{Day, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What happens in the neutral half. As JSON in the journal, so that it can be read without this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum StoreEvent {
    /// A request with an idempotency key was carried out.
    RequestDone(RequestDone),
    /// A customer number came to be.
    CustomerEnrolled {
        /// The new number.
        customer: CustomerNumber,
    },
    /// Two customers are one from here on: the first number leads to the second. Their points moved in the lines before.
    CustomersMerged {
        /// Names the merge.
        merge: MergeId,
        /// The number that leads on.
        from: CustomerNumber,
        /// The number that stays.
        into: CustomerNumber,
        /// What points came with it.
        brought: Brought,
    },
    /// A merge was undone: each number stands for itself again. Points went back in the lines before.
    CustomersUnmerged {
        /// Which.
        merge: MergeId,
        /// The number that stands for itself again.
        from: CustomerNumber,
        /// The number that had stayed.
        into: CustomerNumber,
    },
    /// A customer entered a contest.
    ContestEntered(Box<Entry>),
    /// A contest was drawn.
    ContestDrawn(Box<Drawn>),
    /// A card was issued.
    CardIssued {
        /// To whom.
        customer: CustomerNumber,
        /// The card.
        card: CardId,
        /// What it is.
        kind: CardKind,
        /// The card whose place it takes; that one becomes `REPLACED` by this event.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<CardId>,
        /// Why it was replaced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<CardReason>,
        /// The last day on which it is honoured.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        valid_until: Option<Day>,
    },
    /// The time for which a card is honoured was changed.
    CardValiditySet {
        /// Whose.
        customer: CustomerNumber,
        /// Which.
        card: CardId,
        /// The last day on which it is honoured; none: for good.
        valid_until: Option<Day>,
    },
    /// A card was blocked, or honoured again.
    CardStatusSet {
        /// Whose.
        customer: CustomerNumber,
        /// Which.
        card: CardId,
        /// To what.
        status: CardStatus,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<CardReason>,
    },
    /// A card that is not honoured was shown at a register.
    BlockedCardShown(CardAlert),
    /// A customer stands at a register, or is on the phone.
    VisitOpened {
        /// Names this showing.
        visit: VisitId,
        /// Who.
        customer: CustomerNumber,
        /// The card shown; none when the file was opened by hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        card: Option<CardId>,
        /// Where.
        register: RegisterName,
        /// By which reader.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reader: Option<ReaderName>,
        /// By which way, when the file was opened by hand and it was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<Channel>,
        /// The visit that this one repeats, when a code was read twice in a moment.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repeat_of: Option<VisitId>,
        /// Who was signed on at the register that was shown the file, if one was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<Operator>,
    },
    /// The register is done with the customer.
    VisitEnded {
        /// Which.
        visit: VisitId,
    },
    /// A receipt was recorded.
    SaleRecorded(Box<Sale>),
    /// A sale became a customer's: the card had been forgotten, or it was another's.
    SaleAttached {
        /// Which.
        sale: SaleId,
        /// Whose it is now.
        customer: CustomerNumber,
        /// Whose it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<CustomerNumber>,
        /// The latest sale that is left to whom it was taken from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_left: Option<(SaleId, Timestamp)>,
        /// When it was sold.
        sold_at: Timestamp,
        /// Its business day; absent in records of before it was kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        day: Option<Day>,
        /// In which currency.
        currency: Currency,
        /// For how much.
        total: i64,
    },
    /// Goods of a sale came back.
    SaleReturned(Box<Return>),
    /// A sale was voided: it counts as never made.
    SaleVoided {
        /// Which.
        sale: SaleId,
        /// Whose it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<CustomerNumber>,
        /// The latest sale that is left to them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_left: Option<(SaleId, Timestamp)>,
        /// In which currency.
        currency: Currency,
        /// For how much.
        total: i64,
    },
    /// A sale was put aside before it was paid.
    SaleParked(Box<Parked>),
    /// A register took a parked sale up.
    ParkedTakenUp {
        /// Which.
        parked: SaleId,
    },
    /// The time of a parked sale was over; a [`SaleLost`](Self::SaleLost) follows.
    ParkedLapsed {
        /// Which.
        parked: SaleId,
    },
    /// A sale did not come about.
    SaleLost(Box<Lost>),
    /// It came about after all.
    LostRecovered {
        /// Which.
        lost: LostId,
        /// By which sale.
        sale: SaleId,
    },
    /// An issue was opened.
    IssueOpened {
        /// Whose.
        customer: CustomerNumber,
        /// Names it.
        issue: IssueId,
        /// What it is.
        kind: IssueKind,
        /// About what.
        product: IssueProduct,
        /// What else is known of it; nothing in records of before it was asked.
        #[serde(default, skip_serializing_if = "Claim::is_empty")]
        claim: Box<Claim>,
        /// Its deadlines as they were reckoned; none in records of before there were any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<Box<Clock>>,
    },
    /// An issue moved on.
    IssueMoved {
        /// Whose.
        customer: CustomerNumber,
        /// Which.
        issue: IssueId,
        /// To what.
        state: IssueState,
        /// The issue that it is the same as, if it became `DUPLICATE`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duplicate_of: Option<IssueId>,
        /// Its deadlines and pauses as the move left them; absent where there are none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clock: Option<Box<Clock>>,
    },
    /// An issue was given another severity, or the law's time for it was extended.
    IssueRescheduled {
        /// Whose.
        customer: CustomerNumber,
        /// Which.
        issue: IssueId,
        /// How much it matters now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        severity: Option<Severity>,
        /// Its deadlines as they are now.
        clock: Box<Clock>,
    },
    /// A customer said how content they are with what was done.
    IssueAnswered {
        /// Whose.
        customer: CustomerNumber,
        /// Which.
        issue: IssueId,
        /// 1 to [`SATISFACTION_MAX`](super::issue::SATISFACTION_MAX).
        score: u8,
    },
    /// A line of a customer's points ledger.
    PointsMoved {
        /// Whose.
        customer: CustomerNumber,
        /// The line.
        entry: PointsEntry,
    },
    /// Somebody proposes to correct a customer's points.
    PointsAdjustmentProposed(Adjustment),
    /// Somebody else approved or refused it; an approved one is followed by its [`PointsMoved`](Self::PointsMoved).
    PointsAdjustmentDecided {
        /// Which.
        adjustment: AdjustmentId,
        /// Whether it was approved.
        approved: bool,
        /// The user id of whoever decided.
        by: u32,
        /// Who was signed on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<Operator>,
    },
    /// An operator was taken on or changed: all that is kept of it from here on.
    OperatorSet {
        /// The code.
        operator: Operator,
        /// Whether they may sign on.
        active: bool,
        /// What is kept of the PIN.
        pin: PinHash,
        /// The user id of whoever set it.
        by: u32,
        /// Who was signed on there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by_operator: Option<Operator>,
    },
    /// A customer was shown a text that none was shown before, and answered. Each text is here once; the answers lie in the vault.
    ConsentTextKept {
        /// Names it.
        hash: TextHash,
        /// The text.
        text: ConsentText,
    },
    /// A card is to be printed.
    JobQueued {
        /// Names the job.
        job: JobId,
        /// For whom.
        customer: CustomerNumber,
        /// The card on it.
        card: CardId,
        /// Where.
        printer: PrinterName,
    },
    /// A print job moved on.
    JobMoved {
        /// Which.
        job: JobId,
        /// To what: the words of `print::queue`.
        state: String,
        /// Why, if it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Texts that its paper lacks: `title`, `name`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        omitted: Vec<String>,
    },
    /// A reward is set aside for a sale; its [`PointsMoved`](Self::PointsMoved) follows, a hold of its points.
    RewardHeld(Box<Redemption>),
    /// A sale was put on account, with the day until which it is to be paid. Its [`SaleRecorded`](Self::SaleRecorded) came before.
    CreditGiven(Box<Credit>),
    /// Something was paid for it.
    CreditPaid {
        /// Whose.
        customer: CustomerNumber,
        /// Which sale.
        sale: SaleId,
        /// What.
        payment: Payment,
    },
    /// Somebody was told personal data. No view holds it.
    PersonalRead(PersonalRead),
    /// What was taken from the shop, and what follows. No view holds it.
    BreachAssessed(Box<Breach>),
}

/// An idempotency key, kept for ever, with what its request came to: references only, the answer is made again from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestDone {
    /// The key that the caller chose.
    pub key: Uuid,
    /// Keyed hash of method and body, 32 hexadecimal digits; with a `k` before them the key dies with the customer. Tells a retry from another request under the same key.
    pub body: String,
    /// What came to be.
    pub outcome: Outcome,
    /// The user id of whoever asked; absent in records of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u32>,
    /// Who was signed on there, if anybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
}

/// References to what a request made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// The customer it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerNumber>,
    /// The card it made or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardId>,
    /// The issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue: Option<IssueId>,
    /// The print job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// The visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit: Option<VisitId>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Uuid>,
    /// A consent, a contact or a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Uuid>,
    /// A hold, an entry or a correction of points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Uuid>,
    /// The sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sale: Option<SaleId>,
    /// The sale that did not come about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<LostId>,
    /// The merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeId>,
}

/// What happens in the personal half: keys given out, sections sealed. Nothing of a person in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum VaultEvent {
    /// A customer was given a data key.
    KeyAssigned {
        /// Whose.
        customer: CustomerNumber,
        /// Its place in the key file.
        slot: u32,
        /// Its generation there.
        generation: u32,
    },
    /// A customer was erased: the key is destroyed, and nothing leads to the number any more.
    CustomerErased {
        /// Whose data.
        customer: CustomerNumber,
    },
    /// A section was written anew.
    SectionSealed {
        /// Whose.
        customer: CustomerNumber,
        /// Which: `person`, `demographic` and the others of the registry, `till`, and with a UUID
        /// `card:`, `note:`, `consent:`, `contact:`, `plan:`, `survey:`.
        section: String,
        /// Counts up from 1 for each section.
        rev: u64,
        /// The sealed bytes as the `vault` room writes them, base64.
        sealed: String,
    },
    /// A section was let go, or is about to be sealed again under the key that the customer is given next.
    SectionRemoved {
        /// Whose.
        customer: CustomerNumber,
        /// Which.
        section: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A correction of before there were operators; its value is also a view's, where no field can be left out.
    #[test]
    fn a_correction_of_earlier_versions_was_proposed_by_an_account() {
        let line = r#"{"event":"points_adjustment_proposed","adjustment":"01992d2b-0000-7000-8000-000000000001","customer":"0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7","points":50,"reason":"GOODWILL","by":1000,"decided":null}"#;
        let Ok(StoreEvent::PointsAdjustmentProposed(read)) = serde_json::from_str(line) else {
            panic!("it is not read")
        };
        assert_eq!((read.by, read.operator), (1000, None));
    }

    /// Lines as earlier versions wrote them: they are read, and what they say is said again in the same words.
    #[test]
    fn records_of_earlier_versions_are_read() {
        for line in [
            r#"{"event":"issue_opened","customer":"0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7","issue":"01992d2b-0000-7000-8000-000000000001","kind":"WARRANTY","product":{"gtin":null,"model":"KX-200","serial":"S1"}}"#,
            r#"{"event":"issue_moved","customer":"0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7","issue":"01992d2b-0000-7000-8000-000000000001","state":"IN_PROGRESS"}"#,
            r#"{"event":"sale_recorded","sale":"00000000-002a-8d01-9c11-5c1f6d6f2a50","customer":"0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7","sold_at":1790000000000000,"receipt":{"register":"till-1","number":"000417","day":"2026-09-21","currency":"EUR","lines":[{"sku":"TIN","quantity":1000,"unit_price":550,"amount":550}],"tenders":[{"kind":"CASH","amount":550}],"total":550}}"#,
            r#"{"event":"sale_attached","sale":"00000000-002a-8d01-9c11-5c1f6d6f2a50","customer":"0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7","sold_at":1790000000000000,"currency":"EUR","total":550}"#,
            r#"{"event":"sale_returned","sale_return":"00000000-002b-8d01-9c11-5c1f6d6f2a51","of":"00000000-002a-8d01-9c11-5c1f6d6f2a50","returned_at":1790000000000000,"register":"till-1","number":"000418","day":"2026-09-21","currency":"EUR","lines":[{"line":1,"quantity":1000,"amount":550}],"tenders":[{"kind":"CASH","amount":550}],"total":550}"#,
            r#"{"event":"points_adjustment_decided","adjustment":"01992d2b-0000-7000-8000-000000000001","approved":true,"by":1001}"#,
            r#"{"event":"personal_read","method":"customer.find","by":1000,"roles":["desk"],"customers":[],"fields":["name"]}"#,
            r#"{"event":"request_done","key":"8d3c0e1a-0000-4000-8000-000000000001","body":"00","outcome":{"issue":"01992d2b-0000-7000-8000-000000000001"}}"#,
        ] {
            let event: StoreEvent = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
        }
    }
}
