-- Sends each change of a table as Supabase's database webhooks do, and signs it by Standard Webhooks, which those do not.
-- Needs the extensions pgcrypto and pg_net (Supabase has both), and once:
--
--   select vault.create_secret('whsec_…', 'driftline_webhook');
--
-- Then for each table:
--
--   create trigger driftline after insert or update or delete on public.todos for each row
--     execute function public.driftline_webhook('https://sync.example.com/v1/webhooks/crm');

create or replace function public.driftline_webhook() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  id text := 'msg_' || replace(gen_random_uuid()::text, '-', '');
  -- The time of the call, not of the transaction, which may be older than a receiver takes.
  at text := floor(extract(epoch from clock_timestamp()))::bigint::text;
  body jsonb := jsonb_build_object(
    'type', tg_op, 'schema', tg_table_schema, 'table', tg_table_name,
    'record', case when tg_op <> 'DELETE' then to_jsonb(new) end,
    'old_record', case when tg_op <> 'INSERT' then to_jsonb(old) end,
    -- Supabase's own have no such member. No row tells when it was deleted.
    'changed_at', clock_timestamp());
  secret text := (select decrypted_secret from vault.decrypted_secrets where name = 'driftline_webhook');
begin
  if secret is null then
    raise exception 'There is no secret: select vault.create_secret(''whsec_…'', ''driftline_webhook'')';
  end if;
  perform net.http_post(
    url := tg_argv[0],
    -- pg_net sends body::text, byte for byte what is signed here.
    body := body,
    headers := jsonb_build_object(
      'Content-Type', 'application/json',
      'webhook-id', id,
      'webhook-timestamp', at,
      'webhook-signature', 'v1,' || encode(extensions.hmac(
        convert_to(id || '.' || at || '.' || body::text, 'UTF8'),
        decode(replace(secret, 'whsec_', ''), 'base64'), 'sha256'), 'base64')));
  return null;
end $$;

-- What a trigger calls needs no right to execute, and nobody else should have it.
revoke execute on function public.driftline_webhook() from public;

-- For a mapping with `at`: the time of each change, told apart from every other of its row. now() is when the transaction
-- began: of two changes in one the second would be a duplicate, and one that waited for another would seem older than it.
--
--   create trigger driftline_touch before insert or update on public.todos for each row
--     execute function public.driftline_touch();

create or replace function public.driftline_touch() returns trigger language plpgsql set search_path = '' as $$
begin
  new.updated_at := clock_timestamp();
  if tg_op = 'UPDATE' and new.updated_at <= old.updated_at then
    new.updated_at := old.updated_at + interval '1 microsecond';
  end if;
  return new;
end $$;
