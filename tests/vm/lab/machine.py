"""One run of one machine: QEMU without KVM, its serial lines, and a deadline."""

import pathlib
import subprocess
import time

from .fake_pci import Function

IOMMU = {
    "intel": ["-device", "intel-iommu,intremap=on,device-iotlb=on"],
    "amd": ["-device", "amd-iommu,intremap=on,device-iotlb=on"],
    "none": [],
}


class Crashed(Exception):
    """QEMU itself did not survive, or stuck before the first process ran, which says nothing of what is tested."""

    def __init__(self, why, began):
        super().__init__(why)
        # Whether there was a first process, which may have changed something.
        self.began = began


class Machine:
    """The hardware that a scenario describes, as arguments of QEMU."""

    def __init__(self, iommu="intel", ports=(), memory="512M", cpu="qemu64", processors=1):
        self.functions = []
        self.arguments = ["-M", "q35,kernel-irqchip=split,memory-backend=ram"]
        self.arguments += ["-accel", "tcg,thread=multi", "-cpu", cpu, "-smp", str(processors)]
        # The other process of a fake function must be able to share the guest's memory.
        self.arguments += ["-object", f"memory-backend-memfd,id=ram,size={memory},share=on"]
        self.arguments += ["-m", memory, "-nographic", "-nodefaults", "-no-reboot"]
        self.arguments += IOMMU[iommu]
        for number, port in enumerate(ports):
            self._port(number, port)

    def _port(self, number, port):
        """A root port with the functions behind it. Ports of one `slot` are functions of one device."""
        slot, function = port.get("at", f"{number + 4}.0").split(".")
        options = f"id=port{number},chassis={number + 1},slot={number + 1},addr={slot}.{function}"
        options += ",multifunction=on" if port.get("multifunction") else ""
        options += ",disable-acs=on" if not port.get("acs", True) else ""
        self.arguments += ["-device", f"pcie-root-port,{options}"]
        functions = port["functions"]
        for place, described in enumerate(functions):
            vendor, device, pci_class = (int(part, 16) for part in described.split(":"))
            fake = Function(vendor, device, pci_class, len(functions) > 1)
            self.functions.append(fake)
            options = f"id=fake{number}-{place},bus=port{number},fd={fake.qemus.fileno()},addr=0.{place}"
            options += ",multifunction=on" if len(functions) > 1 else ""
            self.arguments += ["-device", f"x-pci-proxy-dev,{options}"]

    def run(self, more, log, deadline):
        """Runs it until it switches itself off or reboots. `log` is a directory: `console` has what the kernel said,
        `lines` what the guest wrote to its second serial port, `qemu` QEMU's own words; all are overwritten. Seconds that it
        took; raises TimeoutError past the deadline."""
        log = pathlib.Path(log)
        log.mkdir(parents=True, exist_ok=True)
        # However this program ends, the machine does not outlive it.
        command = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *self.arguments]
        command += ["-serial", f"file:{log}/console", "-serial", f"file:{log}/lines", *more]
        started = time.monotonic()
        with open(log / "qemu", "w", encoding="utf-8") as said:
            said.write(" ".join(command) + "\n")
            said.flush()
            qemu = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, close_fds=False
            )
            try:
                code = qemu.wait(deadline / 2)
            except subprocess.TimeoutExpired:
                if not _began(log):
                    raise Crashed("there was no first process", began=False) from None
                try:
                    code = qemu.wait(deadline / 2)
                except subprocess.TimeoutExpired:
                    raise TimeoutError(f"still running after {deadline} s") from None
            finally:
                qemu.kill()
                qemu.wait()
        if code < 0:
            raise Crashed(f"signal {-code} ended QEMU", _began(log))
        if code != 0:
            raise RuntimeError(f"QEMU ended with {code}: {(log / 'qemu').read_text()[-2000:]}")
        return time.monotonic() - started


def _began(log):
    console = log / "console"
    return console.exists() and b"as init process" in console.read_bytes()


def answers(log):
    """What the guest said about each command of the scenario: name, exit code, output."""
    text = (pathlib.Path(log) / "lines").read_bytes().decode("utf-8", "replace")
    found, name, output = [], None, []
    ended = False
    for line in text.replace("\r\n", "\n").split("\n"):
        if line.startswith("@begin "):
            name, output = line.removeprefix("@begin "), []
        elif line.startswith("@end ") and name is not None:
            found.append((name, int(line.removeprefix("@end ")), "\n".join(output)))
            name = None
        elif line == "@done":
            ended = True
        elif name is not None:
            output.append(line)
    if not ended:
        raise RuntimeError(f"the guest stopped in the middle{f', in {name}' if name else ''}")
    return found
