#include "train/optimizer.h"

#include <algorithm>

#include "kernels/adamw/adamw.h"
#include "kernels/convert/convert.h"
#include "kernels/gradient_norm/gradient_norm.h"

template <typename T>
Optimizer<T>::Optimizer(ParameterStore<T>& store, const AdamWOptions& options, StreamView stream)
    : store_(store),
      options_(options),
      stream_(stream),
      norm_(stream.device, 1),
      scale_(stream.device, 1),
      finite_(stream.device, 1),
      scratch_(stream.device, gradient_norm_scratch_bytes(store.table().total_elements()),
               "gradient norm scratch") {
    if (kSeparateMaster<T>) store.allocate(Role::master);
    store.allocate(Role::moment1);
    store.allocate(Role::moment2);
    for (const Parameter& parameter : store.table().parameters()) {
        if (parameter.tied_to || !parameter.trainable) continue;
        const int64_t end = parameter.offset + parameter.count;
        // The gap before an aligned parameter holds zeros: updating it changes nothing.
        const bool goes_on = !runs_.empty() && runs_.back().decay == parameter.decay &&
                             parameter.offset - (runs_.back().first + runs_.back().count) < 16;
        if (goes_on)
            runs_.back().count = end - runs_.back().first;
        else
            runs_.push_back({parameter.offset, parameter.count, parameter.decay});
    }
}

template <typename T>
auto Optimizer<T>::update(int64_t step, double learning_rate) -> Norm {
    using Real = Accumulator<T>;
    gradient_norm(GradientNorm<Real>{.norm = norm_.data(),
                                     .scale = scale_.data(),
                                     .finite = finite_.data(),
                                     .scratch = scratch_.data(),
                                     .gradient = store_.all(Role::gradient).data(),
                                     .count = store_.table().total_elements(),
                                     .max_norm = options_.max_grad_norm},
                  stream_);
    T* weights = store_.weights().data();
    Real* masters = nullptr;
    if constexpr (kSeparateMaster<T>)
        masters = store_.all(Role::master).data();
    else
        masters = weights;
    for (const Run& run : runs_)
        adamw(AdamW<T>{.weight = weights + run.first,
                       .master = masters + run.first,
                       .moment1 = store_.all(Role::moment1).data() + run.first,
                       .moment2 = store_.all(Role::moment2).data() + run.first,
                       .gradient = store_.all(Role::gradient).data() + run.first,
                       .gradient_scale = scale_.data(),
                       .finite = finite_.data(),
                       .count = run.count,
                       .step = step,
                       .learning_rate = learning_rate,
                       .beta1 = options_.beta1,
                       .beta2 = options_.beta2,
                       .epsilon = options_.epsilon,
                       .weight_decay = run.decay ? options_.weight_decay : 0.0},
              stream_);
    return {norm_.to_host()[0], finite_.to_host()[0] != 0};
}

template class Optimizer<float>;
template class Optimizer<bf16>;
template class Optimizer<double>;
