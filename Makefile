# Fettle. `make help` lists the targets; `make demo` is the place to start.
#
#   CUDA=0          skip nvcc (default: on if nvcc is found)
#   CONFIG=asan     a second build under AddressSanitizer and UBSan, in build/asan
#   CONFIG=check    test_kernels that judges every access of an emulated kernel, in build/check
#   OPTIMIZE=-O0    for CONFIG=check: every variable is there for gdb
#   CXX=clang++     another compiler, in a build folder of its own
#   ARCH=x86-64-v3  instead of this machine's own instruction set
#   JOBS=4          compile so many files at once (default: one a core)

CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
CONFIG ?= release
ARCH ?= native
NVCC ?= $(shell command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null)
CUDA ?= $(if $(NVCC),1,0)
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
# The outermost make sets how many jobs run; those it calls share them.
ifndef FETTLE_MAKE
export FETTLE_MAKE := 1
MAKEFLAGS += -j$(JOBS)
endif
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

variant := $(CONFIG)$(if $(findstring clang,$(CXX)),-clang)$(if $(filter 1,$(CUDA)),,-nocuda)
BUILD := build/$(variant)
# What nvcc makes is the same for every machine.
cuda_build := $(if $(filter bundle,$(CONFIG)),build/release,$(BUILD))
BIN := $(if $(filter release release-nocuda,$(variant)),bin,$(BUILD)/bin)

# ---- flags ----------------------------------------------------------------------------------
flags := -std=c++20 -I. -fopenmp -march=$(ARCH) -fno-math-errno -fno-trapping-math -g1 \
         -Wall -Wextra -Werror -Wno-unknown-pragmas -Wno-psabi
flags_release := -O2
# g++ 12 sees overflows inside std::string and fmt that are not there (GCC bug 105329 and its kin).
ifeq (,$(findstring clang,$(CXX)))
flags += -Wno-restrict -Wno-stringop-overflow
endif
flags_asan := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
flags_fuzz := $(flags_asan) -fsanitize=fuzzer-no-link,float-cast-overflow
# The emulator checks every access of a kernel: kernels/simt/check.h. Source lines are found by
# absolute addresses.
flags_check := $(or $(OPTIMIZE),-O1) -g -DFETTLE_CHECK=1 -fno-pie
# The last array of a struct has a bound like any other; what nobody wrote is known by a pattern.
checked := -fsanitize=thread -fsanitize=alignment \
           -fsanitize=bounds$(if $(findstring clang,$(CXX)),,-strict) \
           -ftrivial-auto-var-init=pattern
# For machines other than this one: scripts/make_bundle.sh.
flags_bundle := -O2 -fPIC
flags += $(flags_$(CONFIG))
libraries := -ldnnl -lfmt -lyaml-cpp -lutf8proc -lcrypto -lpthread
ifneq (,$(findstring clang,$(CXX)))
flags += -Wno-pass-failed
endif
ifeq ($(CUDA),1)
cuda_home := $(patsubst %/bin/nvcc,%,$(realpath $(NVCC)))
flags += -DFETTLE_WITH_CUDA=1
libraries += $(cuda_home)/lib64/libcudart_static.a -ldl -lrt
nvcc_source_flags := -std=c++20 -O3 -I. -lineinfo --expt-relaxed-constexpr -Werror all-warnings \
                     -Xcompiler=-Wall,-Wextra,-fPIC -DFETTLE_WITH_CUDA=1 -DFETTLE_DEVICE=on_cuda
nvcc_flags := $(nvcc_source_flags) -gencode arch=compute_80,code=[sm_80,compute_80] \
              -gencode arch=compute_90a,code=sm_90a
endif

# ---- what there is --------------------------------------------------------------------------
rooms := kernels model eval train
sources := $(shell find $(rooms) -name '*.cpp')
device_sources := $(shell find $(rooms) -name '*.cu')
mains := $(filter %_main.cpp,$(sources))
programs := $(patsubst %_main.cpp,$(BIN)/%,$(notdir $(mains)))
objects := $(patsubst %.cpp,$(BUILD)/%.o,$(filter-out %_main.cpp,$(sources))) \
           $(patsubst %.cu,$(BUILD)/%.simt.o,$(filter-out %_runtime.cu,$(device_sources))) \
           $(if $(filter 1,$(CUDA)),$(patsubst %.cu,$(cuda_build)/%.cuda.o,$(device_sources)))
library := $(BUILD)/libfettle.$(if $(filter bundle,$(CONFIG)),so,a)
test_sources := $(shell find tests -name '*_test.cpp')
test_support := $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/support/*.cpp))
probe_sources := $(wildcard tests/kernels/probes/*.cu)
kernel_tests := $(patsubst %.cpp,$(BUILD)/%.o,$(filter tests/kernels/%,$(test_sources)) \
                  $(filter-out %_test.cpp,$(wildcard tests/kernels/probes/*.cpp))) \
                $(patsubst %.cu,$(BUILD)/%.simt.o,$(probe_sources)) \
                $(if $(filter 1,$(CUDA)),$(patsubst %.cu,$(cuda_build)/%.cuda.o,$(probe_sources)))
host_tests := $(patsubst %.cpp,$(BUILD)/%.o,$(filter-out tests/kernels/%,$(test_sources)) \
                $(wildcard tests/fuzz/*_fuzz.cpp) tests/fuzz/target.cpp)
hostile_files := $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/end_to_end/hostile/*.cpp))
test_programs := $(BUILD)/test_kernels $(BUILD)/test_host $(BUILD)/hostile

.PHONY: help all demo demo-smollm2 test test-all test-gpu bundle bundle-programs cuda-objects fuzz \
        fuzz-programs format lint check clean tests setup ptx
help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

all: $(programs)  ## build every program into bin/
demo:  ## install what is missing, build, fine-tune the embedded base model on a CPU
	@scripts/setup.sh
	@$(MAKE) $(BIN)/train $(BIN)/generate $(BIN)/eval
	@$(BIN)/train
demo-smollm2:  ## fetch SmolLM2-135M-Instruct (93 MB), fine-tune it, talk to it
	@scripts/setup.sh
	@$(MAKE) $(BIN)/train $(BIN)/generate $(BIN)/export
	@scripts/demo_smollm2.sh
test:  ## install what is missing, build, run the quick tests
	@scripts/setup.sh
	@$(MAKE) all tests
	@scripts/test.sh quick $(BUILD) $(BIN)
test-all:  ## run every test that this machine can
	@scripts/setup.sh
	@$(MAKE) all tests $(if $(filter 1,$(CUDA)),ptx)
	@scripts/test.sh all $(BUILD) $(BIN)
fuzz:  ## look for bytes that break a reader, FUZZ_SECONDS (60) each; needs clang
	@scripts/fuzz.sh --check
	@$(MAKE) CONFIG=fuzz CXX=clang++ CUDA=0 fuzz-programs
	@scripts/fuzz.sh build/fuzz-clang-nocuda $(FUZZ_SECONDS)
format:  ## rewrite the sources in the house format
	@scripts/format.sh
lint:  ## check include direction, forbidden constructs, sizes
	@scripts/lint.sh
check:  ## build with warnings as errors, format, lint, test; print the checklist
	@scripts/check.sh $(BUILD) $(BIN)
test-gpu: all tests  ## what only a GPU can say, in five minutes; raw outputs into gpu_results/
	@scripts/test_gpu.sh --tests $(BUILD) --bin $(BIN)
bundle:  ## programs and tests for machines with a GPU and no compiler, in build/bundle/fettle
	@[ $(CUDA) = 1 ] || { echo "make bundle: nvcc is not installed, or CUDA=0 was given; it needs the CUDA toolkit" >&2; exit 2; }
	@scripts/setup.sh
	@$(MAKE) cuda-objects
	@$(MAKE) CONFIG=bundle ARCH=x86-64-v3 bundle-programs
	@scripts/make_bundle.sh build/bundle build/bundle/fettle
clean:  ## remove what was built
	rm -rf build bin
tests: $(test_programs)

# ---- rules ----------------------------------------------------------------------------------
# Packages are checked once; what is missing is named before any compiler error.
build/packages.ok: scripts/setup.sh
	@scripts/setup.sh --check
	@mkdir -p build && touch $@
# Objects depend on the flags they were built with, this machine's instruction set among them.
stamp := $(BUILD)/flags.txt
stamp_text := $(CXX) $(flags) $(if $(filter check,$(CONFIG)),$(checked)) $(nvcc_flags) $(shell $(CXX) -march=$(ARCH) -Q --help=target 2>/dev/null | grep -m1 march= || true)
$(shell mkdir -p $(BUILD); echo '$(stamp_text)' | cmp -s - $(stamp) || echo '$(stamp_text)' > $(stamp))

# Loops over tensors are worth more of the compiler's time than the rest, and so is the emulator,
# which a check build enters at every access.
$(BUILD)/kernels/%: flags += $(if $(filter release,$(CONFIG)),-O3)
$(BUILD)/kernels/simt/%: flags += $(if $(filter check,$(CONFIG)),-O2)
$(BUILD)/%.o: %.cpp $(stamp) build/packages.ok
	@mkdir -p $(@D)
	@echo "  c++   $<"
	@$(CXX) $(flags) -MMD -MP -c $< -o $@
$(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/kernels/own/*_test.cpp)) \
$(patsubst %,$(BUILD)/tests/kernels/simt/%_test.o,check clocks grid_order copies mbarrier product_registers profile scheduler static_shared tensor_copy tensor_store warp_matrix warpgroup_matrix named_barrier register_pool cluster shadow): flags += $(if $(filter check,$(CONFIG)),$(checked))
$(BUILD)/%.simt.o: %.cu $(stamp) build/packages.ok
	@mkdir -p $(@D)
	@echo "  simt  $<"
	@$(CXX) $(flags) $(if $(filter check,$(CONFIG)),$(checked)) -DFETTLE_DEVICE=on_simt -DFETTLE_SIMT=1 -MMD -MP -x c++ -c $< -o $@
$(BUILD)/%.cuda.o: %.cu $(stamp) build/packages.ok
	@mkdir -p $(@D)
	@echo "  nvcc  $<"
	@$(NVCC) $(nvcc_flags) -MMD -MP -c $< -o $@ 2>$@.log; status=$$?; cat $@.log >&2; exit $$status
$(BUILD)/libfettle.a: $(objects)
	@rm -f $@ && ar rcs $@ $^

# What nvcc made of each kernel, for the emulator to interpret: test_kernels --device simt --ptx.
# Of kernels that need sm_90 and of probes of its instructions, what it makes for that.
ifeq ($(CUDA),1)
PTX_ARCH ?= compute_80
for_sm90 := %_sm90.cu tests/kernels/probes/%
ptx_folder := build/ptx$(if $(filter-out compute_80,$(PTX_ARCH)),-$(PTX_ARCH))
ptx_files := $(patsubst %.cu,$(ptx_folder)/%.ptx,$(filter-out %_runtime.cu,$(device_sources)) $(probe_sources))
ptx: $(ptx_files)  ## compile every kernel to PTX, into build/ptx/
ptx_stamp := $(ptx_folder)/flags.txt
ptx_stamp_text := $(nvcc_source_flags) $(PTX_ARCH), sm_90a: $(for_sm90)
$(shell mkdir -p $(ptx_folder); echo '$(ptx_stamp_text)' | cmp -s - $(ptx_stamp) || echo '$(ptx_stamp_text)' > $(ptx_stamp))
$(ptx_folder)/%.ptx: %.cu $(ptx_stamp) build/packages.ok
	@mkdir -p $(@D)
	@echo "  ptx   $<"
	@$(NVCC) $(nvcc_source_flags) -arch=$(if $(filter $(for_sm90),$<),compute_90a,$(PTX_ARCH)) -MMD -MP -MF $@.d -ptx $< -o $@
else
ptx:
	@echo "make ptx: nvcc is not installed, or CUDA=0 was given; it needs the CUDA toolkit" >&2; exit 2
endif

define program_rule
$(BIN)/$(patsubst %_main,%,$(basename $(notdir $(1)))): $(BUILD)/$(basename $(1)).o $(library)
	@mkdir -p $$(@D)
	@echo "  link  $$@"
	@$(CXX) $(flags) $(if $(filter check,$(CONFIG)),-no-pie) $$^ $(libraries) -o $$@
endef
$(foreach main,$(mains),$(eval $(call program_rule,$(main))))

$(BUILD)/test_kernels: $(kernel_tests) $(test_support) $(library)
$(BUILD)/test_host: $(host_tests) $(test_support) $(library)
$(BUILD)/hostile: $(hostile_files) $(library)
$(test_programs):
	@echo "  link  $@"
	@$(CXX) $(flags) $(if $(filter check,$(CONFIG)),-no-pie) $^ $(libraries) -o $@

# ---- bundle ---------------------------------------------------------------------------------
# The kernels' code would be in every program: there it is in a shared library.
cuda-objects: $(filter %.cuda.o,$(objects) $(kernel_tests))
$(BUILD)/libfettle.so: $(objects)
	@echo "  link  $@"
	@$(CXX) -shared -Wl,-soname,$(notdir $@) -fopenmp $^ $(libraries) -o $@
bundle-programs: $(programs) $(BUILD)/test_kernels $(BUILD)/test_host

# ---- mutants --------------------------------------------------------------------------------
# scripts/mutate_kernels.sh: the tests of the kernels, with mutated copies of the kernels in their
# place, and no more of the program than they need. Tests that bring their own kernels are compiled
# against the copies too: of an inline function that two objects have, the linker takes either.
mutated := $(BUILD)/mutated
mutated_kernels := $(patsubst %.cu,$(mutated)/%.o,$(filter-out %_runtime.cu,$(device_sources)))
mutants_folders := kernels/core $(sort $(patsubst %/,%,$(dir $(filter-out %_runtime.cu,$(device_sources)))))
mutants_tests := $(wildcard $(patsubst %,tests/%/*_test.cpp,$(mutants_folders))) \
                 tests/kernels/simt/collective_test.cpp  # warp.cuh's
mutated_tests := $(if $(filter %/test_mutants,$(MAKECMDGOALS)),$(shell grep -lE '\.cuh"|emulated\.h"' $(mutants_tests)))
mutants_objects := $(patsubst %.cpp,$(BUILD)/%.o,$(filter-out $(mutated_tests),$(mutants_tests)) \
                     $(filter kernels/%,$(filter-out %_main.cpp,$(sources))) \
                     model/program/signals.cpp tests/support/main.cpp tests/support/devices.cpp) \
                   $(patsubst %.cpp,$(mutated)/%.o,$(mutated_tests)) $(mutated_kernels)
mutate = $(CXX) -iquote $(mutated) $(flags) -Wno-maybe-uninitialized $(if $(filter check,$(CONFIG)),$(checked))
$(mutated)/mutants.txt: scripts/plant_mutants.awk $(device_sources) $(shell find kernels -name '*.cuh')
	@scripts/mutate_kernels.sh --generate $(mutated)
$(mutated)/tests/%.o: tests/%.cpp $(mutated)/mutants.txt tests/support/mutant.h $(stamp)
	@mkdir -p $(@D)
	@echo "  c++   $<, of mutants"
	@$(mutate) -c $< -o $@
$(mutated)/%.o: $(mutated)/mutants.txt tests/support/mutant.h $(stamp)
	@echo "  simt  $(mutated)/$*.cu"
	@$(mutate) -DFETTLE_DEVICE=on_simt -DFETTLE_SIMT=1 -x c++ -c $(mutated)/$*.cu -o $@
$(BUILD)/test_mutants: $(mutants_objects)
	@echo "  link  $@"
	@$(CXX) $(flags) $(if $(filter check,$(CONFIG)),-no-pie) $^ $(libraries) -o $@

# ---- fuzzing --------------------------------------------------------------------------------
# The targets are part of test_host, which replays what was found; fuzzing links each alone, with
# the parts of the library that readers need.
fuzz_library := $(BUILD)/libreaders.a
fuzz_programs := $(patsubst tests/fuzz/%_fuzz.cpp,$(BUILD)/fuzz_%,$(wildcard tests/fuzz/*_fuzz.cpp))
$(fuzz_library): $(patsubst %.cpp,$(BUILD)/%.o,$(filter-out %_main.cpp,$(filter \
        kernels/core/% kernels/simt/% kernels/quantize/% model/% train/checkpoint.cpp train/options% \
        train/schedule.cpp,$(filter-out model/generate/% model/text/corpus.cpp,$(sources)))))
	@rm -f $@ && ar rcs $@ $^
$(fuzz_programs): $(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/target.o \
                                   $(BUILD)/tests/fuzz/driver.o $(fuzz_library)
	@echo "  link  $@"
	@$(CXX) $(flags) -fsanitize=fuzzer $^ $(libraries) -o $@
$(BUILD)/fuzz_seeds: $(BUILD)/tests/fuzz/seeds.o $(fuzz_library)
	@echo "  link  $@"
	@$(CXX) $(flags) $^ $(libraries) -o $@
fuzz-programs: $(fuzz_programs) $(BUILD)/fuzz_seeds

-include $(shell find $(BUILD) $(ptx_folder) -name '*.d' 2>/dev/null)
