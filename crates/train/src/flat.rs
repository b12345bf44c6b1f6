//! A network's numbers as one row: what ranks exchange, what the optimiser changes, what checkpoints hold.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

/// One tensor of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Names of the modules down to it, joined by dots.
    pub path: String,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Learnt by gradient; otherwise kept by the network itself, as running statistics are.
    pub trained: bool,
    /// Where its numbers begin in the row.
    pub start: usize,
}

impl Slot {
    /// Numbers that it holds.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// It holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its place in the row.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.len()
    }
}

/// Where each tensor of a network lies in the row, in the order in which the network is walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    slots: Vec<Slot>,
    len: usize,
}

impl Layout {
    /// Of a network that is ready to train.
    pub fn of(network: &impl Module) -> Self {
        let mut visitor = Measure { path: Vec::new(), slots: Vec::new(), len: 0 };
        network.visit(&mut visitor);
        Self { slots: visitor.slots, len: visitor.len }
    }

    /// The tensors, in order.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Numbers in the row.
    pub fn len(&self) -> usize {
        self.len
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Numbers that are learnt by gradient.
    pub fn trained(&self) -> usize {
        self.slots.iter().filter(|slot| slot.trained).map(Slot::len).sum()
    }

    /// The network's numbers. Statistics of the last step are only in a network that was made valid since.
    pub fn gather(&self, network: &impl Module) -> Vec<f32> {
        let mut visitor = Gather { row: Vec::with_capacity(self.len) };
        network.visit(&mut visitor);
        assert_eq!(visitor.row.len(), self.len, "the network is the one that was measured");
        visitor.row
    }

    /// The gradient of every number; 0 where there is none.
    pub fn gradients(&self, network: &impl Module, gradients: &mut Gradients) -> Vec<f32> {
        let mut visitor = GatherGradients { row: Vec::with_capacity(self.len), gradients };
        network.visit(&mut visitor);
        assert_eq!(visitor.row.len(), self.len, "the network is the one that was measured");
        visitor.row
    }

    /// Puts numbers into a network.
    pub fn scatter<M: Module>(&self, network: M, row: &[f32]) -> M {
        assert_eq!(row.len(), self.len, "the row is of this network");
        network.map(&mut Scatter { row, slots: self.slots.iter(), only_kept: false })
    }

    /// Puts numbers into a network's statistics and leaves what it learnt.
    pub fn scatter_kept<M: Module>(&self, network: M, row: &[f32]) -> M {
        assert_eq!(row.len(), self.len, "the row is of this network");
        network.map(&mut Scatter { row, slots: self.slots.iter(), only_kept: true })
    }
}

struct Measure {
    path: Vec<String>,
    slots: Vec<Slot>,
    len: usize,
}

impl ModuleVisitor for Measure {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let slot = Slot {
            path: self.path.join("."),
            shape: value.dims().to_vec(),
            trained: param.is_require_grad(),
            start: self.len,
        };
        self.len += slot.len();
        self.slots.push(slot);
    }
}

/// A tensor's numbers on this side of the device.
fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec().expect("the numbers were made f32")
}

struct Gather {
    row: Vec<f32>,
}

impl ModuleVisitor for Gather {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.row.extend(numbers(param.val()));
    }
}

struct GatherGradients<'a> {
    row: Vec<f32>,
    gradients: &'a mut Gradients,
}

impl ModuleVisitor for GatherGradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let gradient = param.is_require_grad().then(|| value.grad_remove(self.gradients)).flatten();
        match gradient {
            Some(gradient) => self.row.extend(numbers(gradient)),
            None => self.row.resize(self.row.len() + value.shape().num_elements(), 0.0),
        }
    }
}

struct Scatter<'a> {
    row: &'a [f32],
    slots: std::slice::Iter<'a, Slot>,
    only_kept: bool,
}

impl ModuleMapper for Scatter<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let slot = self.slots.next().expect("the network is the one that was measured");
        if slot.trained && self.only_kept {
            return param;
        }
        let (id, old, mapper) = param.consume();
        let data = TensorData::new(self.row[slot.range()].to_vec(), old.dims());
        let new = Tensor::from_data(data, &old.device());
        let new = if old.is_require_grad() { new.require_grad() } else { new };
        Param::from_mapped_value(id, new, mapper)
    }
}
