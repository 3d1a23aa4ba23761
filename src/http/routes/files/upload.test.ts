import { expect, test } from 'vitest';
import { fullApp } from '../../testing/full-app.ts';

const UPLOAD = {
  method: 'POST',
  headers: { 'content-type': 'multipart/form-data; boundary=b' },
  payload:
    '--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\nx\r\n--b--\r\n',
} as const;

test('no other route takes multipart bodies', async () => {
  const { app } = fullApp();
  await app.ready();
  const others = app.routeList.filter(
    ({ method, url }) => method === 'POST' && url !== '/v1/files',
  );
  expect(others.length).toBeGreaterThan(10);
  for (const { url } of others) {
    const { statusCode } = await app.inject({ ...UPLOAD, url });
    expect([url, statusCode]).toEqual([url, 415]);
  }
  const taken = await app.inject({ ...UPLOAD, url: '/v1/files' });
  expect(taken.statusCode).toBe(200);
  const { id }: { id: string } = taken.json();
  expect((await app.inject(`/v1/files/${id}/content`)).body).toBe('x');
});
