// SPDX-License-Identifier: Apache-2.0
// Stands for the Internet, a LAN and this machine's own services: whoever
// connects to the port, on any address, is told so. And a resolver on
// 127.0.0.1:53, for whom every name is 192.0.2.80.
import dgram from 'node:dgram';
import net from 'node:net';

net.createServer(s => {
	s.on('error', () => {});
	s.end('from the Internet\r\n');
}).listen(Number(process.argv[2]), '0.0.0.0');

const names = dgram.createSocket('udp4');
names.on('message', (q, from) => {
	// RFC 1035, 4.1: the question as it came, and one A record for it
	const head = Buffer.from([q[0], q[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
	const a = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 80]);
	names.send(Buffer.concat([head, q.subarray(12), a]), from.port, from.address);
});
names.bind(53, '127.0.0.1');
