"""PCI functions of any vendor, device and class in a stock QEMU.

QEMU's `x-pci-proxy-dev` asks a process at the other end of a socket for every access to a function's
configuration space (docs/devel/multi-process.rst). Here that process is a thread. A function has 256 bytes
of configuration, power management and a PCI Express endpoint capability, one region of 16 MiB, and no
behaviour: enough for a kernel to enumerate it, group it, and bind a driver to it.
"""

import os
import socket
import struct
import threading

BAR0 = 0x10
BAR_SIZE = 16 << 20
# Commands of the protocol, by their numbers in QEMU's MPQemuCmd.
SYNC_SYSMEM, RET, CONFIG_WRITE, CONFIG_READ, BAR_WRITE, BAR_READ, SET_IRQFD, DEVICE_RESET = range(8)
WRITABLE = {0x04, 0x05, 0x3C, 0x44, 0x45, 0x68, 0x69}


def configuration(vendor, device, pci_class, multifunction):
    """The 256 bytes that the function shows after power-on."""
    space = bytearray(256)
    memory_decode, capabilities_list = 0x0002, 0x0010
    struct.pack_into("<HHHH", space, 0x00, vendor, device, memory_decode, capabilities_list)
    space[0x08] = 0xA1
    space[0x0A:0x0C] = pci_class.to_bytes(2, "little")
    space[0x0E] = 0x80 if multifunction else 0x00
    struct.pack_into("<HH", space, 0x2C, vendor, 0x18BE)
    space[0x34] = 0x40
    space[0x3D] = 1
    # Power management, then PCI Express (an endpoint, with function-level reset).
    space[0x40:0x44] = bytes([0x01, 0x60, 0x03, 0x00])
    space[0x60:0x64] = bytes([0x10, 0x00, 0x02, 0x00])
    struct.pack_into("<I", space, 0x64, 0x1000_8022)
    return space


class Function:
    """Answers for one function until QEMU hangs up."""

    def __init__(self, vendor, device, pci_class, multifunction):
        self.space = configuration(vendor, device, pci_class, multifunction)
        self.ours, self.qemus = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.qemus.set_inheritable(True)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            while True:
                command, payload = self._message()
                if command in (SYNC_SYSMEM, SET_IRQFD):
                    continue
                answer = self._answer(command, payload)
                self.ours.sendall(struct.pack("<iiQQ", RET, 0, 8, answer))
        except (EOFError, ConnectionError):
            pass

    def _message(self):
        # Descriptors may ride on a header. Nothing here needs them, and kept they would pile up.
        header, ancillary, _, _ = self.ours.recvmsg(16, socket.CMSG_SPACE(32))
        for _, _, passed in ancillary:
            for descriptor in struct.unpack(f"{len(passed) // 4}i", passed):
                os.close(descriptor)
        if not header:
            raise EOFError
        header += self._exactly(16 - len(header))
        command, size = struct.unpack("<ixxxxQ", header)
        return command, self._exactly(size)

    def _exactly(self, length):
        received = b""
        while len(received) < length:
            part = self.ours.recv(length - len(received))
            if not part:
                raise EOFError
            received += part
        return received

    def _answer(self, command, payload):
        if command == BAR_READ:
            return 0xFFFF_FFFF
        if command not in (CONFIG_READ, CONFIG_WRITE):
            return 0
        address, value, length = struct.unpack("<IIi", payload)
        if command == CONFIG_READ:
            return int.from_bytes(self.space[address : address + length], "little")
        written = (value & ((1 << 8 * length) - 1)).to_bytes(length, "little")
        if 0x10 <= address < 0x28 or address == 0x30:
            self._write_region(address, written)
        elif address in WRITABLE:
            self.space[address : address + length] = written
        return 0

    def _write_region(self, address, written):
        start = address & ~3
        if start != BAR0:
            return
        register = bytearray(self.space[start : start + 4])
        register[address - start : address - start + len(written)] = written
        # The low bits of a size cannot be set: so the kernel learns the size.
        value = int.from_bytes(register, "little") & ~(BAR_SIZE - 1) & 0xFFFF_FFFF
        self.space[start : start + 4] = value.to_bytes(4, "little")
