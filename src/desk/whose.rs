//! Whose a sale is: the visit it is rung up in tells, or the till names the customer.

use super::person::no_such_customer;
use crate::domain::id::{CustomerNumber, RegisterName, VisitId};
use crate::domain::refusal::{Refusal, RefusalCode};
use crate::log::Tx;
use crate::store::{self, VisitState};

/// Who is said to buy.
pub(super) struct Whose {
    pub(super) visit: Option<VisitId>,
    pub(super) customer: Option<CustomerNumber>,
    pub(super) late: bool,
}

impl Whose {
    /// Whose sale it is: the visit's, which must still stand for whoever is at the counter, or the customer's it names.
    pub(super) fn settle(
        &self,
        tx: &Tx<'_>,
        register: &RegisterName,
    ) -> Result<Option<CustomerNumber>, Refusal> {
        let Some(visit) = self.visit else {
            let known = |customer| store::customer(tx, customer)?.ok_or_else(no_such_customer);
            return Ok(self.customer.map(known).transpose()?.map(|kept| kept.customer));
        };
        let no_such_visit =
            || Refusal::new(RefusalCode::NotFound, "no visit has this id; name the `customer`");
        let kept = store::visit(tx, visit)?.ok_or_else(no_such_visit)?;
        let customer = store::survivor(tx, kept.customer)?;
        if self.customer.is_some_and(|named| named != customer) {
            return Err(Refusal::field(
                "customer",
                "is not the customer of this visit; leave one of the two out",
            ));
        }
        let message = if kept.register != *register {
            "this visit is another register's; say `late` if the sale is this customer's all the same"
        } else if kept.state != VisitState::Open {
            "this visit has ended, or another customer came; say `late` if the sale is this customer's all the same"
        } else {
            return Ok(Some(customer));
        };
        if self.late {
            return Ok(Some(customer));
        }
        let field = Some("visit".to_owned());
        Err(Refusal { field, ..Refusal::new(RefusalCode::Conflict, message) })
    }
}
