# A thin front of kernel/cmd/tamanet: what each target does is Go, there. `make help` lists the targets.

APP     ?= app/status
BOARD   ?= microvm
PORTS   ?= 8080:80
MEM     ?=
CPUS    ?= 1
CPU     ?=
CMDLINE ?=
OUT     ?= build/
RAM     ?=
DEV     ?=
ARGS    ?=
TAMAGO  ?=

# Go fetches the release that go.mod names when another one is installed. Some distributions switch that off.
GOTOOLCHAIN = auto

# Recipes read the variables from the environment: no value needs quoting on its way. They exec, so that a signal to
# make reaches the command and not a shell in between.
export APP BOARD PORTS MEM CPUS CPU CMDLINE OUT RAM DEV TAMAGO GOTOOLCHAIN

TAMANET := build/tamanet

.DEFAULT_GOAL := help
.PHONY: help run build image flash load test oracle fuzz bench bench-sockets bench-enet toolchain doctor clean $(TAMANET)

help:
	@echo "make run              build the appliance, boot it in QEMU, print the URL that answers"
	@echo "make test             every test, kernels booted in QEMU included"
	@echo "make test-vet         one group of the tests: vet, host, toolchain, e2e, smp, smpq35, q35, mx6ullevk, usbarmory"
	@echo "make oracle           every scenario of socket calls, on Linux and on tamanet, compared"
	@echo "make fuzz             every fuzz target for a while; ARGS=--time=10m for longer"
	@echo "make bench            boot, size, load and instructions beside a Linux guest's; ARGS='--short' or '--net=tap'"
	@echo "make bench-sockets    the cost of socket calls beside Linux's"
	@echo "make bench-enet       the i.MX Ethernet driver beside the tamago module's, in QEMU"
	@echo "make build            build the appliance's kernel into OUT"
	@echo "make image            build the appliance's boot image into OUT: BOARD=usbarmory or BOARD=mx6ullevk"
	@echo "make flash DEV=...    build the image and write it to a card; ARGS=--dry-run only checks"
	@echo "make load             build the image and load it into a board's RAM over USB, until its reset"
	@echo "make toolchain        build the Go for GOOS=tamago, once, and print its path"
	@echo "make doctor           say what is missing on this machine"
	@echo "make clean            remove what was built here; toolchains and kernels in ~/.cache/tamanet stay"
	@echo
	@echo "variables             (now)"
	@echo "  APP=folder          main package to build, here or in a module of your own ($(APP))"
	@echo "  BOARD=name          machine ($(BOARD))"
	@echo "  PORTS=8080:80,...   ports of the host that lead to the guest, host:guest[/tcp|/udp] ($(PORTS))"
	@echo "  MEM=64M             RAM (the board's default)"
	@echo "  CPUS=1 CPU=model    number and model of the CPUs"
	@echo "  CMDLINE='...'       kernel command line: ip= gw= dns= hostname=, and words for the appliance"
	@echo "  OUT=file|folder/    where make build puts the kernel ($(OUT))"
	@echo "  RAM=512M DEV=/dev/sdX  the board's RAM, and the card's device, for image and flash"
	@echo "  ARGS='...'          further flags, see: $(TAMANET) run --help"
	@echo "  TAMAGO=path         another GOOS=tamago go command to build with"

run: $(TAMANET)
	@exec $(TAMANET) run --app "$$APP" --board "$$BOARD" --ports "$$PORTS" --mem "$$MEM" --cpus "$$CPUS" --cpu "$$CPU" \
		--cmdline "$$CMDLINE" $(ARGS)

build: $(TAMANET)
	@exec $(TAMANET) build --app "$$APP" --board "$$BOARD" --out "$$OUT" $(ARGS)

IMAGE = $(TAMANET) image --app "$$APP" --board "$$BOARD" --ram "$$RAM" --cmdline "$$CMDLINE" --out "$$OUT"

image: $(TAMANET)
	@exec $(IMAGE) $(ARGS)

flash: $(TAMANET)
	@image=$$($(IMAGE)) && $(TAMANET) flash "$$image" --dev "$$DEV" $(ARGS)

load: $(TAMANET)
	@image=$$($(IMAGE)) && $(TAMANET) load "$$image" $(ARGS)

test: $(TAMANET)
	@exec $(TAMANET) test $(ARGS)

test-%: $(TAMANET)
	@exec $(TAMANET) test $* $(ARGS)

oracle fuzz bench bench-sockets toolchain doctor: $(TAMANET)
	@exec $(TAMANET) $@ $(ARGS)

bench-enet: $(TAMANET)
	@exec go test -run '^$$' -bench ENET -benchtime 1x ./qemu/e2e/mx6ullevk $(ARGS)

clean:
	rm -rf build

# Always handed to go, which does nothing when nothing has changed.
$(TAMANET):
	@command -v go >/dev/null || { echo "tamanet: there is no Go here ('go' is not in PATH); install Go 1.21 or later, from https://go.dev/dl/ or the distribution" >&2; exit 1; }
	@test -n "$$(cd / && go env GOTOOLCHAIN)" || { echo "tamanet: $$(cd / && go version) is too old to fetch the Go that go.mod names; install Go 1.21 or later from https://go.dev/dl/" >&2; exit 1; }
	@go version >/dev/null || { echo "tamanet: the Go that go.mod names cannot be had, see above; install it from https://go.dev/dl/, or see that GOPROXY can be reached" >&2; exit 1; }
	@go build -o $@ ./kernel/cmd/tamanet
